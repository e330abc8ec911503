"""The result of a PUT, for actions that commands call too: it imports no HTTP server."""

import msgspec


class Placed:
    """The resource that PUT stored, and whether PUT created it."""

    __slots__ = ("created", "document")

    def __init__(self, document: msgspec.Struct, *, created: bool) -> None:
        self.document = document
        self.created = created
