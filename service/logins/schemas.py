"""Logins on the wire."""

from typing import Annotated, Literal

import msgspec
from msgspec import UNSET, Meta, UnsetType

from service.db import words
from service.http.pages import ListParameters

Sort = Literal["time", "-time"]
Outcome = Annotated[
    Literal["ok", "wrong", "unknown", "inactive", "throttled"],
    Meta(
        description="`wrong`: the password, or the account has none. `unknown`: no user has this email. "
        "`inactive`: the password was right and the user is not active. `throttled`: not tried, after too many "
        "failures; one row a minute for an account from one address."
    ),
]
ClientAddress = Annotated[
    str,
    Meta(
        max_length=45,
        description="The IP address of the client, or `unknown`; behind a proxy that is trusted, as the proxy reports.",
        examples=["203.0.113.9"],
    ),
]
Agent = Annotated[
    str, Meta(max_length=200, description="The User-Agent header, cut to 200 characters.", examples=["curl/8.9.1"])
]


class Login(msgspec.Struct, frozen=True):
    """One attempt to log in."""

    id: words.Id
    time: words.Moment
    user_id: words.Ref | None
    outcome: Outcome
    address: ClientAddress
    agent: Agent | None
    email: Annotated[str, Meta(max_length=254, description="As typed.", examples=["ann@example.org"])] | None


class LoginPage(msgspec.Struct, frozen=True):
    """One page of logins."""

    items: list[Login]
    next_cursor: str | None


class LoginParameters(ListParameters, frozen=True, kw_only=True):
    """Parameters of the login history; the newest come first."""

    sort: Sort = "-time"
    outcome: Outcome | UnsetType = UNSET
    address: ClientAddress | UnsetType = UNSET
    since: Annotated[words.Moment, Meta(description="Not before this time.")] | UnsetType = UNSET
    until: Annotated[words.Moment, Meta(description="Before this time.")] | UnsetType = UNSET


class AllLoginParameters(LoginParameters, frozen=True, kw_only=True):
    """Parameters of the login history of all users; the newest come first."""

    user_id: words.Ref | UnsetType = UNSET
    email: words.Email | UnsetType = UNSET
