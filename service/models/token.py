"""Tokens: of programs, of sessions, and in password links."""

from sqlalchemy import CheckConstraint, ForeignKey, Index, LargeBinary, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from service.db import words
from service.db.types import Document
from service.models.base import IDS_ARE_NOT_REUSED, Base, Entity


class Token(Entity, Base):
    """One token of one user; the token itself is shown once and stored nowhere."""

    __tablename__ = "tokens"
    __table_args__ = (
        UniqueConstraint("digest"),
        CheckConstraint("kind IN ('token', 'session', 'link')", name="kind", info={"field": "kind"}),
        Index(None, "user_id", "id"),
        IDS_ARE_NOT_REUSED,
    )

    user_id: Mapped[words.Ref] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"))
    kind: Mapped[str] = mapped_column(String(10))
    name: Mapped[words.LongName]
    # SHA-256 of the whole text of the token.
    digest: Mapped[bytes] = mapped_column(LargeBinary(32))
    # NULL: all permissions that the owner has.
    permissions: Mapped[list[str] | None] = mapped_column(Document)
    expires_at: Mapped[words.Moment | None]
    revoked_at: Mapped[words.Moment | None]
    last_used_at: Mapped[words.Moment | None]
