"""Look at an app without running any of it: its parts, how they are served, their database.

Gives: survey (read the app that the settings name), read (one in a folder), and what they return.
"""

from scripts.app.survey.backend import Backend, Candidate
from scripts.app.survey.database import Database
from scripts.app.survey.frontend import Frontend
from scripts.app.survey.reading import PORT, Survey, read, survey
from scripts.app.survey.tree import Evidence

__all__ = [
    "PORT",
    "Backend",
    "Candidate",
    "Database",
    "Evidence",
    "Frontend",
    "Survey",
    "read",
    "survey",
]
