"""Places of the tables in a drawing: referred tables to the left of those that refer to them."""

from dataclasses import dataclass

from service.migrate.proof.diagram.schema import Schema, Table

ROW, HEAD = 20, 30
GAP_X, GAP_Y, MARGIN = 90, 26, 24
# The average advance of the drawing's fonts at 12 and 13 pixels, by which a box is made wide enough.
_LETTER, _TITLE_LETTER = 7.3, 8.2
_TALLEST = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Box:
    """Where a table is drawn, in pixels."""

    table: Table
    x: int
    y: int
    width: int

    @property
    def height(self) -> int:
        return HEAD + ROW * len(self.table.columns) + 6

    def row(self, name: str) -> int:
        """The middle of a column's row."""
        at = next((at for at, each in enumerate(self.table.columns) if each.name == name), -1)
        return self.y + HEAD + ROW * at + ROW // 2 if at >= 0 else self.y + HEAD // 2


def placed(schema: Schema) -> dict[str, Box]:
    """The boxes by the names of their tables."""
    boxes: dict[str, Box] = {}
    x = MARGIN
    for tables in _stacks(schema):
        y, width = MARGIN, max(_width(each) for each in tables)
        for table in tables:
            box = Box(table=table, x=x, y=y, width=width)
            boxes[table.name] = box
            y += box.height + GAP_Y
        x += width + GAP_X
    return boxes


def _width(table: Table) -> int:
    rows = (_LETTER * (len(each.name) + len(each.type) + (5 if each.is_nullable else 0) + 9) for each in table.columns)
    return round(max(_TITLE_LETTER * len(table.name) + 40, *rows, 120))


def _stacks(schema: Schema) -> list[list[Table]]:
    """The tables from left to right by how many references lead from them to a table without any."""
    ranks = _ranks(schema)
    alone = {each.name for each in schema.tables} - {
        name for each in schema.relations if each.table != each.referred for name in (each.table, each.referred)
    }
    stacks: list[list[Table]] = []
    for rank in range(max(ranks.values(), default=0) + 1):
        first, *more = _cut(
            [each for each in schema.tables if ranks[each.name] == rank and each.name not in alone], schema
        )
        # What does not fit stands on the other side, where no table is between it and those that it refers to.
        stacks = [*more, *stacks, first]
    return [each for each in (*stacks, *_cut([each for each in schema.tables if each.name in alone], schema)) if each]


def _cut(tables: list[Table], schema: Schema) -> list[list[Table]]:
    """At least one stack, none taller than a page, with the tables that are referred to most on top."""
    counts = {each.name: sum(other.referred == each.name for other in schema.relations) for each in tables}
    stacks: list[list[Table]] = [[]]
    height = 0
    for table in sorted(tables, key=lambda each: (-counts[each.name], each.name)):
        own = HEAD + ROW * len(table.columns) + GAP_Y
        if stacks[-1] and height + own > _TALLEST:
            stacks.append([])
            height = 0
        stacks[-1].append(table)
        height += own
    return stacks


def _ranks(schema: Schema) -> dict[str, int]:
    """The longest way from each table along its references; a circle of references is cut where it closes."""
    referred: dict[str, set[str]] = {each.name: set() for each in schema.tables}
    for each in schema.relations:
        if each.table in referred and each.referred in referred and each.table != each.referred:
            referred[each.table].add(each.referred)
    ranks: dict[str, int] = {}

    def rank(name: str, above: frozenset[str]) -> int:
        if name not in ranks:
            ways = [rank(other, above | {name}) + 1 for other in sorted(referred[name]) if other not in above]
            ranks[name] = max(ways, default=0)
        return ranks[name]

    for table in schema.tables:
        rank(table.name, frozenset({table.name}))
    # Beside the nearest table that refers to it, so that few lines pass behind other tables.
    for name in sorted(ranks, key=lambda each: -ranks[each]):
        nearest = min((ranks[other] for other in ranks if name in referred[other]), default=ranks[name] + 1)
        ranks[name] = max(ranks[name], nearest - 1)
    return ranks
