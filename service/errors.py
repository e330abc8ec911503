"""The directory's failures, as sentences for the caller; nothing here knows HTTP."""

from dataclasses import dataclass


class RosterError(Exception):
    """A failure that the caller is told about."""

    def __init__(self, detail: str) -> None:
        super().__init__(detail)
        self.detail = detail


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """One thing wrong with what was sent: where (a pointer, a parameter, a line) and what would be right."""

    detail: str
    pointer: str | None = None
    parameter: str | None = None
    line: int | None = None
    field: str | None = None


class Malformed(RosterError):
    """What was sent cannot be read at all."""


class Invalid(RosterError):
    """What was sent can be read and is wrong; every fault is told at once."""

    def __init__(self, detail: str, *faults: Fault) -> None:
        super().__init__(detail)
        self.faults = faults


class Unauthenticated(RosterError):
    """The caller has shown no valid token; `error` is the code of RFC 6750, or None when no token was sent."""

    def __init__(self, detail: str, *, error: str | None = None) -> None:
        super().__init__(detail)
        self.error = error


class Forbidden(RosterError):
    """The caller is known and may not do this; the message names what is missing."""


class NotFound(RosterError):
    """There is no such thing."""


class Conflict(RosterError):
    """A constraint of the database refused the change."""

    def __init__(self, detail: str, *, field: str | None = None) -> None:
        super().__init__(detail)
        self.field = field


class Stale(RosterError):
    """The caller's copy is not the newest."""


class Unavailable(RosterError):
    """The database cannot answer now; a later try may succeed."""

    def __init__(self, detail: str, *, retry_after_seconds: int = 1) -> None:
        super().__init__(detail)
        self.retry_after_seconds = retry_after_seconds


class Unsettled(Unavailable):
    """Nobody can say whether the change was stored; the same Idempotency-Key makes asking again safe."""


class NoSpace(RosterError):
    """A disk is full."""


class Misconfigured(RosterError, ValueError):
    """A setting or an argument cannot work as it is."""


class CannotStart(RosterError):
    """The machine lacks what the server needs: a free port, a readable file."""
