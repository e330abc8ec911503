"""A stored CREATE TABLE statement, parsed just far enough to change one item of it."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from itertools import pairwise, takewhile

from service.migrate.dialects.sqlite.clauses import Column
from service.migrate.dialects.sqlite.tokens import Token, join, lowered, meaningful, tokenize
from service.migrate.errors import Refused

_TABLE_CONSTRAINTS = frozenset(("CONSTRAINT", "PRIMARY", "UNIQUE", "CHECK", "FOREIGN"))


@dataclass(frozen=True, slots=True)
class Item:
    """A column or a constraint of the table, with the comma (or nothing) before it."""

    separator: str
    tokens: tuple[Token, ...]

    @property
    def is_constraint(self) -> bool:
        return self._solid[0].keyword in _TABLE_CONSTRAINTS

    @property
    def column(self) -> Column:
        return Column(self.tokens)

    @property
    def constraint_name(self) -> str:
        solid = self._solid
        return solid[1].name if solid[0].keyword == "CONSTRAINT" else ""

    def names_used(self) -> set[str]:
        """The names that the item uses, of columns among others."""
        if self.is_constraint:
            return _names_in_parentheses(takewhile(lambda token: token.keyword != "REFERENCES", self.tokens))
        column = self.column
        used = (column.tokens[each.start : each.stop] for each in column.clauses if each.kind in ("CHECK", "AS"))
        return {name for tokens in used for name in _names_in_parentheses(tokens)}

    @property
    def _solid(self) -> list[Token]:
        return [self.tokens[position] for position in meaningful(list(self.tokens))]


@dataclass(frozen=True, slots=True)
class Definition:
    """A table's definition, with its exact text as `sql`; every change returns a new definition."""

    table: str
    head: str
    items: tuple[Item, ...]
    tail: str

    @property
    def sql(self) -> str:
        return self.head + "".join(item.separator + join(item.tokens) for item in self.items) + self.tail

    @property
    def columns(self) -> list[Column]:
        return [item.column for item in self.items if not item.is_constraint]

    @property
    def has_rowid(self) -> bool:
        return all(token.keyword != "WITHOUT" for token in tokenize(self.tail))

    @property
    def has_autoincrement(self) -> bool:
        return any(token.keyword == "AUTOINCREMENT" for item in self.items for token in item.tokens)

    def has_column(self, name: str) -> bool:
        return any(column.name == lowered(name) for column in self.columns)

    def has_constraint(self, name: str) -> bool:
        clauses = (clause for column in self.columns for clause in column.clauses)
        names = {item.constraint_name for item in self.items if item.is_constraint} | {each.name for each in clauses}
        return lowered(name) in names

    def column(self, name: str) -> Column:
        """The column of this name; raises Refused if there is none."""
        return self._item(name).column

    def change_column(self, name: str, change: Callable[[Column], Column]) -> "Definition":
        item = self._item(name)
        return self._replaced(item, replace(item, tokens=change(item.column).tokens))

    def add_column(self, text: str) -> "Definition":
        """The table with the column added after its columns."""
        return self._inserted(len(self.columns), text)

    def drop_column(self, name: str) -> "Definition":
        """The table without the column; raises Refused for the only column and for one that the definition uses."""
        item = self._item(name)
        for other in self.items:
            if other is not item and lowered(name) in other.names_used():
                raise Refused(f"{self.table}.{name} cannot be dropped before {_described(other)}, which depends on it.")
        if len(self.columns) == 1:
            raise Refused(f"{self.table}.{name} is the only column of its table. Drop the table instead.")
        return self._without(item)

    def add_constraint(self, text: str) -> "Definition":
        return self._inserted(len(self.items), text)

    def drop_constraint(self, name: str) -> "Definition":
        """The table without the table or column constraint of that name; raises Refused if there is none."""
        for item in self.items:
            if item.is_constraint:
                if item.constraint_name == lowered(name):
                    return self._without(item)
                continue
            for clause in item.column.clauses:
                if clause.name == lowered(name):
                    return self._replaced(item, replace(item, tokens=item.column.without(clause).tokens))
        raise Refused(f"{self.table} has no constraint {name}.")

    def _item(self, name: str) -> Item:
        for item in self.items:
            if not item.is_constraint and item.column.name == lowered(name):
                return item
        raise Refused(f"{self.table} has no column {name}.")

    def _replaced(self, item: Item, other: Item) -> "Definition":
        return replace(self, items=tuple(other if each is item else each for each in self.items))

    def _without(self, item: Item) -> "Definition":
        kept = [each for each in self.items if each is not item]
        behind = self.items.index(item) + 1
        if behind < len(self.items) and not self.items[behind].separator:
            # A table constraint needs no comma before it, unless it would now follow a column.
            kept[behind - 1] = replace(kept[behind - 1], separator=item.separator)
        ending = _trailing_space(item.tokens)
        if item is self.items[-1] and ending and not _trailing_space(kept[-1].tokens):
            kept[-1] = replace(kept[-1], tokens=(*kept[-1].tokens, ending))
        kept[0] = replace(kept[0], separator="")
        return replace(self, items=tuple(kept))

    def _inserted(self, index: int, text: str) -> "Definition":
        """Insert the item with the white space of the item before it, to keep the layout of the text."""
        items = list(self.items)
        before = items[index - 1]
        leading = before.tokens[0] if before.tokens[0].text.isspace() else Token("gap", " ")
        added = (leading, *tokenize(text))
        if ending := _trailing_space(before.tokens):
            items[index - 1] = replace(before, tokens=before.tokens[:-1])
            added = (*added, ending)
        items.insert(index, Item(",", added))
        return replace(self, items=tuple(items))


def has_constraint_in(sql: str, name: str) -> bool:
    """Whether the table that the statement creates has a constraint of this name, on the table or on a column."""
    return not is_virtual(sql) and parse(sql, name).has_constraint(name)


def is_virtual(sql: str) -> bool:
    """Whether the statement creates a virtual table."""
    tokens = tokenize(sql)
    return "VIRTUAL" in [tokens[index].keyword for index in meaningful(tokens)[:2]]


def parse(sql: str, table: str) -> Definition:
    """Return the definition of an ordinary table; raises Refused for a virtual one."""
    tokens = tokenize(sql)
    opening = next((index for index, token in enumerate(tokens) if token.text == "("), None)
    if opening is None or is_virtual(sql):
        raise Refused(f"{table} is a virtual table, which cannot be altered.")
    items: list[Item] = []
    start, separator, depth = opening + 1, "", 0
    for index in range(opening, len(tokens)):
        mark = tokens[index].text
        depth += (mark == "(") - (mark == ")")
        if depth == 0 or (depth == 1 and mark == ","):
            items += _split_constraints(separator, tokens[start:index])
            start, separator = index + 1, mark
        if depth == 0:
            return Definition(table, join(tokens[: opening + 1]), tuple(items), join(tokens[index:]))
    raise Refused(f"The stored definition of {table} cannot be read: {sql}")


def _split_constraints(separator: str, tokens: list[Token]) -> list[Item]:
    """Split an item into its constraints: SQLite requires no comma between table constraints."""
    solid = meaningful(tokens)
    if tokens[solid[0]].keyword not in _TABLE_CONSTRAINTS:
        return [Item(separator, tuple(tokens))]
    starts: list[int] = []
    depth = 0
    named = False
    for index in solid:
        depth += (tokens[index].text == "(") - (tokens[index].text == ")")
        if depth or tokens[index].keyword not in _TABLE_CONSTRAINTS:
            continue
        if not named:
            starts.append(index)
        named = tokens[index].keyword == "CONSTRAINT"
    starts[0] = 0
    spans = pairwise([*starts, len(tokens)])
    return [Item(separator if first == 0 else "", tuple(tokens[first:last])) for first, last in spans]


def _names_in_parentheses(tokens: Iterable[Token]) -> set[str]:
    names: set[str] = set()
    depth = 0
    for token in tokens:
        depth += (token.text == "(") - (token.text == ")")
        if depth and token.kind in ("word", "quoted"):
            names.add(token.name)
    return names


def _trailing_space(tokens: tuple[Token, ...]) -> Token | None:
    """The trailing white space; none if it ends a line comment."""
    if not tokens[-1].text.isspace() or (len(tokens) > 1 and tokens[-2].text.startswith("--")):
        return None
    return tokens[-1]


def _described(item: Item) -> str:
    if not item.is_constraint:
        return f"the column {item.column.name}"
    return f"the constraint {item.constraint_name or join(item.tokens).strip()}"
