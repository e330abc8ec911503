"""What the API description says of operations and tags, in sentences made of what each operation declares."""

from collections.abc import Iterator

from service.http.unit import Operation

# Tags whose operations neither create a resource nor hold one in a file.
_TAGS = {
    "schema": "The schema of the database: its revision, what is left to do of it, and its history.",
    "operations": "Probes, metrics, the version, and this document.",
}


def describe_operation(method: str, operation: Operation, docstring: str | None) -> str:
    """Return the handler's own words, followed by what holds for every operation of its kind."""
    own = [" ".join(docstring.split())] if docstring else []
    return " ".join([*own, *_sentences(method, operation)])


def describe_tag(tag: str, operations: list[Operation]) -> str:
    """Return what a noun is: the docstring of what is created there, or of what stands in a line of its files."""
    created = [each.result for each in operations if each.status == 201]
    lines = [each.lines for each in operations if each.gives and each.lines]
    documented = next((each for each in [*created, *lines] if each.__doc__), None)
    return _TAGS.get(tag) or " ".join((documented.__doc__ if documented else tag.capitalize()).split())


_IMPORT = (
    "Takes CSV or NDJSON of any length; `Content-Type` says which or, with `application/octet-stream`, `format`. "
    "The report counts the lines that were created, updated, unchanged or failed, and lists each error with its line "
    "and field. Importing a file again does no harm."
)
_EXPORT = (
    "Gives all of them by id, as NDJSON or CSV; `format` or `Accept` says which. A failure on the way breaks the "
    "connection, so a response that ends well is the whole file."
)
_PATCH = (
    "Takes a JSON merge patch (RFC 7396): fields that are not sent stay, and `null` empties a field that may be empty."
)


def _sentences(method: str, operation: Operation) -> Iterator[str]:
    if operation.takes:
        yield _IMPORT
    elif operation.gives and operation.lines:
        yield _EXPORT
    elif "next_cursor" in getattr(operation.result, "__struct_fields__", ()):
        yield "Gives one page; `next_cursor`, sent as `cursor` with the same sort and filters, gives the next one."
    elif method == "get" and operation.tagged:
        yield "With `If-None-Match` the answer is 304 with no body while the resource still has that ETag."
    yield from _sentences_of_changes(method, operation)


def _sentences_of_changes(method: str, operation: Operation) -> Iterator[str]:
    if method == "put":
        yield "Creates it (201), or replaces what it holds (200)."
    elif method == "patch":
        yield _PATCH
    elif method == "delete":
        yield "A second DELETE gets 404."
    if operation.idempotent:
        yield "With an `Idempotency-Key` it is done once, however often the request is sent."
    if operation.conditional:
        yield "With `If-Match` it is refused with 412 if the resource has another ETag."
