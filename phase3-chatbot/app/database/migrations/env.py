"""Alembic's entry, for `alembic upgrade head` and for the app itself.

Only one process migrates at a time, and newer tables are left alone.
"""

import sys

from alembic import context
from app import logs
from app.config import config
from app.database import schema
from app.database.models import Base
from sqlalchemy.exc import OperationalError

if context.config.cmd_opts:  # started by the command line: its log lines look like the app's
    logs.configure(config().log_level)

try:
    with schema.exclusive() as (connection, found):
        context.configure(
            connection=connection, target_metadata=Base.metadata, render_as_batch=True
        )
        if schema.is_known(found):
            context.run_migrations()
        else:
            schema.log.info(
                "the tables are of version %s, later than %s: left as they are", found, schema.HEAD
            )
except OperationalError as error:
    if not context.config.cmd_opts:
        raise
    # The first line has the error and its place; the rest is SQLAlchemy's general advice.
    schema.log.error("the tables were not migrated: %s", str(error.orig).strip().replace("\n", " "))
    sys.exit(1)
