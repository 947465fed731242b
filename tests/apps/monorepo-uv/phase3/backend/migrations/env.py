from alembic import context
from app.config import settings
from sqlalchemy import create_engine

with create_engine(settings.DATABASE_URL).connect() as connection:
    context.configure(connection=connection)
    with context.begin_transaction():
        context.run_migrations()
