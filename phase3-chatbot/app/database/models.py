"""The tables, as the newest migration leaves them."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any, ClassVar

from sqlalchemy import (
    Date,
    DateTime,
    Dialect,
    ForeignKey,
    Index,
    SmallInteger,
    String,
    Text,
    TypeDecorator,
)
from sqlalchemy.ext.associationproxy import AssociationProxy, association_proxy
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship


def now() -> datetime:
    """Return the present time, in UTC."""
    return datetime.now(UTC)


class Moment(TypeDecorator[datetime]):
    """A point in time, in UTC when written and read: SQLite keeps no time zone."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Return the value with its zone."""
        return (
            value.replace(tzinfo=UTC)
            if value and value.tzinfo is None
            else value and value.astimezone(UTC)
        )


class Base(DeclarativeBase):
    """What all tables share."""


class User(Base):
    """A person who can log in. password: an argon2id hash."""

    __tablename__ = "users"

    id: Mapped[int] = mapped_column(primary_key=True)
    email: Mapped[str] = mapped_column(String(254), unique=True)
    password: Mapped[str] = mapped_column(String(200))
    created_at: Mapped[datetime] = mapped_column(Moment, default=now)


class Tag(Base):
    """A word that a todo is filed under."""

    __tablename__ = "todo_tags"

    todo_id: Mapped[int] = mapped_column(
        ForeignKey("todos.id", ondelete="CASCADE"), primary_key=True
    )
    name: Mapped[str] = mapped_column(String(30), primary_key=True)

    def __init__(self, name: str) -> None:
        super().__init__(name=name)


class Todo(Base):
    """Something that its owner wants to do.

    priority: 0 low, 1 normal, 2 high. version: increases with each change. deleted_at: set while it
    can be restored. creation_key, creation_digest: those of the request that created it, if it had
    an Idempotency-Key.
    """

    __tablename__ = "todos"

    id: Mapped[int] = mapped_column(primary_key=True)
    owner_id: Mapped[int] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), index=True)
    title: Mapped[str] = mapped_column(String(200))
    note: Mapped[str] = mapped_column(Text, default="")
    due_date: Mapped[date | None] = mapped_column(Date)
    priority: Mapped[int] = mapped_column(SmallInteger, default=1, server_default="1")
    completed: Mapped[bool] = mapped_column(default=False)
    created_at: Mapped[datetime] = mapped_column(Moment, default=now)
    updated_at: Mapped[datetime] = mapped_column(Moment, default=now, onupdate=now)
    version: Mapped[int] = mapped_column(server_default="1")
    deleted_at: Mapped[datetime | None] = mapped_column(Moment)
    creation_key: Mapped[str | None] = mapped_column(String(200))
    creation_digest: Mapped[str | None] = mapped_column(String(64))

    tag_rows: Mapped[list[Tag]] = relationship(
        cascade="all, delete-orphan", lazy="selectin", order_by=Tag.name, passive_deletes=True
    )
    tags: AssociationProxy[list[str]] = association_proxy("tag_rows", "name")

    # If two changes come at once, the second one finds that its version is gone.
    __mapper_args__: ClassVar[dict[str, Any]] = {"version_id_col": version}
    __table_args__ = (Index("ix_todos_creation_key", "owner_id", "creation_key", unique=True),)


class EndedSession(Base):
    """A login that was ended before its token expired. id: the token's `jti`."""

    __tablename__ = "ended_sessions"

    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    expires_at: Mapped[datetime] = mapped_column(Moment)
