"""The first administrator on the wire."""

from typing import Annotated

import msgspec
from msgspec import Meta

from service.db import words
from service.http.auth.token_text import WRITTEN

Code = Annotated[
    str,
    Meta(
        min_length=1,
        max_length=202,
        description="The code behind the # of the setup URL, or the bootstrap token.",
        examples=["qL0mJrQe8Yv6bXw2u1sTz3KfC5dNhA7G"],
    ),
]
Text = Annotated[str, Meta(pattern=f"^{WRITTEN}$(?!\\n)", description="A token of the administrator, shown once.")]


class Setup(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The first administrator: who they are, and the code that shows that the operator asks."""

    code: Code
    name: words.Name
    email: words.Email
    password: words.Password


class Administrator(msgspec.Struct, frozen=True):
    """The first administrator, a user with the role admin."""

    id: words.Id
    name: words.Name
    email: words.Email
    version: words.Version


class AdministratorCreated(Administrator, frozen=True):
    """The first administrator, with a token that is shown this once."""

    token: Text
