"""Archives on the wire."""

from typing import Any

import msgspec

from service.db import words


class Archive(msgspec.Struct, frozen=True):
    """Everything that the directory holds about one user; each part is as its own address shows it."""

    user: dict[str, Any]
    preferences: dict[str, Any]
    password_changed_at: words.Moment | None
    employee: dict[str, Any] | None
    tokens: list[dict[str, Any]]
    records: list[dict[str, Any]]
    logins: list[dict[str, Any]]
    events: list[dict[str, Any]]
    acts: list[dict[str, Any]]
