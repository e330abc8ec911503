"""Errors with a message for the caller, independent of HTTP."""

from dataclasses import dataclass


class RosterError(Exception):
    """An error whose message is for the caller."""

    def __init__(self, detail: str) -> None:
        super().__init__(detail)
        self.detail = detail


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """One fault of the input: where (a pointer, a parameter, a line), and what would be right."""

    detail: str
    pointer: str | None = None
    parameter: str | None = None
    line: int | None = None
    field: str | None = None


class Malformed(RosterError):
    """The input cannot be parsed."""


class Invalid(RosterError):
    """The input is not valid; `faults` lists everything that is wrong."""

    def __init__(self, detail: str, *faults: Fault) -> None:
        super().__init__(detail)
        self.faults = faults


class Unauthenticated(RosterError):
    """The caller has shown no valid token; `error` is the code of RFC 6750, or None when no token was sent."""

    def __init__(self, detail: str, *, error: str | None = None) -> None:
        super().__init__(detail)
        self.error = error


class Forbidden(RosterError):
    """The caller is authenticated and lacks a permission, which the message names."""


class NotFound(RosterError):
    """The resource does not exist."""


class Gone(RosterError):
    """What the caller refers to was there and is not any more."""


class Conflict(RosterError):
    """A constraint of the database refused the change."""

    def __init__(self, detail: str, *, field: str | None = None) -> None:
        super().__init__(detail)
        self.field = field


class Stale(RosterError):
    """A precondition on the version of the resource does not hold."""


class TooMany(RosterError):
    """The caller has tried too often; a later try may succeed."""

    def __init__(self, detail: str, *, retry_after_seconds: int) -> None:
        super().__init__(detail)
        self.retry_after_seconds = retry_after_seconds


class Unavailable(RosterError):
    """The database is not available now; a later attempt may succeed."""

    def __init__(self, detail: str, *, retry_after_seconds: int = 1) -> None:
        super().__init__(detail)
        self.retry_after_seconds = retry_after_seconds


class Unsettled(Unavailable):
    """It is not known whether COMMIT succeeded; a repeat with the same Idempotency-Key is safe."""


class NoSpace(RosterError):
    """A disk is full."""


class Misconfigured(RosterError, ValueError):
    """A setting or an argument is not valid."""


class CannotStart(RosterError):
    """The machine lacks what the server needs: a free port, a readable file."""
