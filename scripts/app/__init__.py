"""The person's app: read as text, never run; and what images and chart must be like to fit it.

May import: session, machine.
Gives: survey.survey (what the app is made of), environment.gather (its variables and secrets),
resolve.requirements (its Python packages, pinned), fit (the files put beside its own).
"""
