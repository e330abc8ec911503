"""Which columns of a row a version of the code may send as NULL or leave out, by the schema that it knows."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Table

from service.migrate.proof.verify.row_maker import is_written


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """The columns that are NULL in a row, and those that the row does not have; neither for a whole row."""

    nulls: tuple[str, ...] = ()
    left_out: tuple[str, ...] = ()

    def of(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """The values of a whole row in this shape."""
        kept = {name: value for name, value in values.items() if name not in self.left_out}
        return kept | {name: None for name in self.nulls if name in kept}

    def parts(self) -> Iterator["Shape"]:
        """The shapes with one of the columns each."""
        yield from _single("nulls", self.nulls)
        yield from _single("left_out", self.left_out)

    def __str__(self) -> str:
        if self.nulls:
            return f" with NULL in {', '.join(self.nulls)}"
        return f" without {', '.join(self.left_out)}" if self.left_out else ""


WHOLE = Shape()


def of_nulls(table: Table) -> Iterator[tuple[Shape, ...]]:
    """NULL in all columns that can be NULL; then, for a table that does not take that, in each of them."""
    names = tuple(each.name for each in table.columns if each.nullable and is_written(each) and not each.primary_key)
    if names:
        yield (Shape(nulls=names),)
        yield tuple(_single("nulls", names))


def of_required(table: Table) -> Iterator[tuple[Shape, ...]]:
    """Only the columns that need a value; then, for a table that does not take that, with more columns."""
    defaults = tuple(each.name for each in table.columns if each.server_default is not None or each.identity)
    key = table.autoincrement_column
    keys = (key.name,) if key is not None and key.name not in defaults else ()
    nullable = tuple(each.name for each in table.columns if each.nullable and not each.primary_key)
    optional = tuple(dict.fromkeys((*defaults, *nullable)))
    if keys:
        yield (Shape(left_out=(*keys, *optional)),)
    if optional:
        yield (Shape(left_out=optional),)
    yield tuple(_single("left_out", (*keys, *defaults)))


def _single(what: str, names: Iterable[str]) -> Iterator[Shape]:
    return (Shape(**{what: (name,)}) for name in names)
