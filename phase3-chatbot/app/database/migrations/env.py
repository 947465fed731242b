"""Alembic's entry, of `alembic upgrade head` and of the app itself: one migrates at a time, and newer tables are left alone."""

import sys

from alembic import context
from app import logs
from app.config import config
from app.database import schema
from app.database.models import Base
from sqlalchemy.exc import OperationalError

if context.config.cmd_opts:  # of the command line: its lines look like the app's
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
    # The first line says what and where; the rest is SQLAlchemy's own advice.
    schema.log.error("the tables were not migrated: %s", str(error.orig).strip().replace("\n", " "))
    sys.exit(1)
