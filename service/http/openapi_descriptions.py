"""Descriptions of operations and tags, generated from their declarations."""

from collections.abc import Iterator

from service.http.auth.permissions import requirement
from service.http.operations import Operation

# Tags without an operation that creates or imports a resource.
_TAGS = {
    "schema": "The schema of the database: the revision, the phases still to be run, and the history.",
    "me": "The user of the token, by the same operations as those on users.",
    "tokens": "Tokens of every user: of programs, of sessions, and in password links.",
    "sessions": "Logging in with a password, and out.",
    "password-links": "Links by which users set their passwords; `POST /v1/users/{user_id}/password-links` makes one.",
    "logins": "The login history: every attempt to log in, and how it ended.",
    "roles": "Named lists of permissions; a user may do what any of their roles holds.",
    "events": "The audit trail: every change, who made it, and the old and new values.",
    "operations": "Probes, metrics, the version, and the OpenAPI description.",
}


def describe_operation(method: str, operation: Operation, docstring: str | None) -> str:
    """Return the handler's docstring, followed by the sentences for every operation of its kind."""
    own = [" ".join(docstring.split())] if docstring else []
    return " ".join([*own, *_sentences(method, operation), requirement(operation.permission)])


def describe_tag(tag: str, operations: list[Operation]) -> str:
    """Return the docstring of the struct that is created or imported under a tag."""
    created = [each.result for each in operations if each.status == 201]
    lines = [each.lines for each in operations if each.gives and each.lines]
    documented = next((each for each in [*created, *lines] if each.__doc__), None)
    return _TAGS.get(tag) or " ".join((documented.__doc__ if documented else tag.capitalize()).split())


_IMPORT = (
    "Takes CSV or NDJSON of any length; `Content-Type` or, with `application/octet-stream`, `format` gives the format. "
    "The report counts the lines that were created, updated, unchanged or failed, and lists each error with its line "
    "and field. Importing a file twice creates no duplicates of rows that have a key."
)
_EXPORT = (
    "Returns all rows in the order of ids, as NDJSON or CSV by `format` or `Accept`. An error during the export "
    "closes the connection early, so a complete response is the whole file."
)
_PATCH = (
    "Takes a JSON merge patch (RFC 7396): a field that is not sent keeps its value, `null` clears an optional field."
)


def _sentences(method: str, operation: Operation) -> Iterator[str]:
    if operation.takes:
        yield _IMPORT
    elif operation.gives and operation.lines:
        yield _EXPORT
    elif "next_cursor" in getattr(operation.result, "__struct_fields__", ()):
        yield "Returns one page; `next_cursor`, sent as `cursor` with the same sort and filters, returns the next page."
    elif method == "get" and operation.tagged:
        yield "With `If-None-Match` the response is 304 without a body while the resource has that ETag."
    yield from _sentences_of_changes(method, operation)


def _sentences_of_changes(method: str, operation: Operation) -> Iterator[str]:
    if operation.places:
        yield "Creates the resource (201) or replaces its fields (200)."
    elif method == "patch":
        yield _PATCH
    elif method == "delete" and operation.conditional:
        yield "A second DELETE is 404."
    if operation.idempotent:
        yield "With an `Idempotency-Key`, repeating the request creates nothing and returns the first response."
    if operation.conditional:
        yield "With `If-Match` the request is refused with 412 if the resource has another ETag."
