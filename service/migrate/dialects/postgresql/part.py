"""One SELECT of the inventory: `t` is the table, `a` its columns, `d` the objects that depend on it."""

from typing import NamedTuple

# The name of the column with this number.
COLUMN = "(SELECT attname FROM a WHERE attnum = {})"


class Part(NamedTuple):
    """One SELECT: its rows, and from these the column, the name of the object and its definition."""

    rows: str
    name: str = "relname"
    definition: str = "''"
    column: str = "NULL"


def of_column(condition: str, definition: str, *, name: str = "attname", more: str = "") -> Part:
    return Part(f"a {more} WHERE {condition}", name, definition, "attname")
