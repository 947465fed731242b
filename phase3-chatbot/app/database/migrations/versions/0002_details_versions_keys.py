"""Due dates, priorities, tags, versions, creation keys, restorable todos, ended sessions."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Only add, with defaults on the server: the release before this one still works with them."""
    op.add_column("todos", sa.Column("due_date", sa.Date))
    op.add_column(
        "todos", sa.Column("priority", sa.SmallInteger, nullable=False, server_default="1")
    )
    op.add_column("todos", sa.Column("version", sa.Integer, nullable=False, server_default="1"))
    op.add_column("todos", sa.Column("deleted_at", sa.DateTime(timezone=True)))
    op.add_column("todos", sa.Column("creation_key", sa.String(200)))
    op.add_column("todos", sa.Column("creation_digest", sa.String(64)))
    op.create_index("ix_todos_creation_key", "todos", ["owner_id", "creation_key"], unique=True)
    op.create_table(
        "todo_tags",
        sa.Column(
            "todo_id", sa.Integer, sa.ForeignKey("todos.id", ondelete="CASCADE"), primary_key=True
        ),
        sa.Column("name", sa.String(30), primary_key=True),
    )
    op.create_table(
        "ended_sessions",
        sa.Column("id", sa.String(32), primary_key=True),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
    )
