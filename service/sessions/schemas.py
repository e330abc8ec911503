"""Sessions on the wire."""

from typing import Annotated

import msgspec
from msgspec import Meta

from service.db import words


class SessionCreate(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The email and the password of a user."""

    email: Annotated[words.Email, Meta(description="In any case.")]
    password: words.TypedPassword
    cookie: Annotated[bool, Meta(description="Set the cookie for pages instead of answering with the token.")] = False


class Session(msgspec.Struct, frozen=True):
    """A new session; its token is shown once."""

    token: Annotated[
        str | None,
        Meta(
            description="Sent as `Authorization: Bearer …`; null when the cookie carries it.",
            examples=["roster_0DpMtMpu1YLBDrgWbLu9cNuQ5v1GyUUnBgGVNEbTlXs0t7pAm"],
        ),
    ]
    token_id: words.Ref
    user_id: words.Ref
    expires_at: words.Moment
