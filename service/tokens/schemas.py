"""Tokens on the wire."""

from datetime import datetime
from typing import Annotated, Literal

import msgspec
from msgspec import UNSET, Meta, UnsetType

from service.db import words
from service.http.auth.permissions import PERMISSIONS, Permission
from service.http.auth.token_text import WRITTEN
from service.http.pages import ListParameters

Sort = Literal["id", "-id"]
Kind = Literal["token", "session", "link"]
Granted = Annotated[
    list[str] | None, Meta(description="What the token allows; null is everything that its user may do.")
]
Asked = Annotated[
    list[Permission],
    Meta(
        max_length=len(PERMISSIONS),
        description="What the token allows; null is everything that its user may do, as far as the caller may.",
        examples=[["records.read"]],
    ),
]
Text = Annotated[
    str,
    Meta(
        pattern=f"^{WRITTEN}$(?!\\n)",
        description="The token itself, shown once; only its SHA-256 is stored.",
        examples=["roster_0EXAMPLEonlyEXAMPLEonlyEXAMPLEonlyEXAMPLEon2HsGje"],
    ),
]


class Token(msgspec.Struct, frozen=True):
    """One token of a user, without its text."""

    id: words.Id
    user_id: words.Ref
    kind: Kind
    name: words.LongName
    permissions: Granted
    expires_at: datetime | None
    revoked_at: datetime | None
    last_used_at: datetime | None
    version: words.Version
    created_at: words.Created
    updated_at: words.Updated


class OwnedToken(Token, frozen=True):
    """One token and the email of its user, for an operator."""

    email: words.Email


class TokenCreated(Token, frozen=True):
    """A token of a user; `token` is its text, which is shown this once."""

    token: Text


class TokenCreate(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A new token: what it is for, what it allows, and when it ends."""

    name: words.LongName
    permissions: Asked | None = None
    expires_at: words.Moment | None = None


class TokenPage(msgspec.Struct, frozen=True):
    """One page of tokens."""

    items: list[Token]
    next_cursor: str | None


class OwnTokenParameters(ListParameters, frozen=True, kw_only=True):
    """Parameters of the list of one's own tokens."""

    sort: Sort = "id"
    kind: Kind | UnsetType = UNSET


class TokenParameters(OwnTokenParameters, frozen=True, kw_only=True):
    """Parameters of the list of everyone's tokens."""

    user_id: words.Ref | UnsetType = UNSET
