"""Passwords on the wire."""

from typing import Annotated

import msgspec
from msgspec import Meta

from service.db import words

LinkText = Annotated[str, Meta(min_length=1, max_length=200, description="The token of the link.")]


class OwnPasswordUpdate(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A new password of one's own, and the current one."""

    new_password: words.Password
    current_password: Annotated[
        words.TypedPassword | None, Meta(description="Required where there is a password already.")
    ] = None


class PasswordUpdate(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A new password of a user."""

    new_password: words.Password


class PasswordLink(msgspec.Struct, frozen=True):
    """A link by which a user sets a password once; it is shown once."""

    url: Annotated[str, Meta(description="The page to open; the token stands behind the # and reaches no server log.")]
    token: LinkText
    expires_at: words.Moment


class PasswordLinkUse(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The token of a link, and the password to set."""

    token: LinkText
    new_password: words.Password
