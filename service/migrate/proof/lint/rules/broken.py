"""Triggers, functions and views that name a table or a column which is gone when a revision is done."""

import re
from collections.abc import Iterator, Sequence

from service.migrate.dialects.postgresql.statements import statements
from service.migrate.proof.lint.rule import PG, SQLITE, Family, Found, Place, Rules, Whole
from service.migrate.proof.lint.sql.bodies import body
from service.migrate.proof.lint.sql.change import Kind
from service.migrate.proof.lint.sql.schema import Schema, names_in

rules = Rules(family=Family.ON_TABLE, databases=(PG, SQLITE))
_GONE = (Kind.DROP_COLUMN, Kind.RENAME_COLUMN)
_ROW = re.compile(r"\b(?:new|old)\s*\.\s*\"?(\w+)", re.IGNORECASE)


@rules.whole(
    id="leaves-broken-code",
    advice="Replace or drop the function, trigger or view in the same revision",
)
def leaves_broken_code(of: Whole) -> Found:
    """Each write that fires the trigger, and each call of the function, fails: no database looks into the text."""
    yield from _broken(of, of.before, of.after, of.places)
    if of.revision.is_plain:
        yield from _broken(of, of.after, of.back, of.undone)


def _broken(of: Whole, before: Schema, after: Schema, places: Sequence[Place]) -> Found:
    was = dict(_missing(before))
    for (trigger, table), columns in _missing(after):
        lost = sorted(columns - was.get((trigger, table), set()))
        own = {trigger, *names_in(after.triggers[trigger, table]), *lost}
        found = [each for each in places if each.change.name in own and each.change.table in ("", table)]
        # What an upgrade drops or renames is found where it does, by text-names-column.
        is_found = any(each.change.kind in _GONE and each.call.phase != "downgrade" for each in found)
        if lost and found and not is_found:
            names = ", ".join(f"{table}.{each}" for each in lost)
            yield found[-1].call.line, f"the trigger {trigger} names {names}, which is not there"
    for place in places:
        change = place.change
        renamed = change.kind is Kind.RENAME_TABLE and of.database == PG
        if place.is_safe or change.table in after.tables or change.table in after.views:
            continue
        if renamed or (change.kind is Kind.DROP_TABLE and change.table in before.tables):
            for reader in _reading(after, change.table, of.database):
                yield place.call.line, f"{reader} names {change.table}, which is {'renamed' if renamed else 'dropped'}"


def _missing(schema: Schema) -> Iterator[tuple[tuple[str, str], set[str]]]:
    """Each trigger with its table, and the columns of NEW and OLD that the table does not have."""
    for (name, table), text in schema.triggers.items():
        columns = schema.table(table).columns
        texts = [text, *(body(schema.functions[each]) for each in names_in(text) & schema.functions.keys())]
        # A function for several tables asks which one it runs for.
        if columns and not re.search(r"\btg_(table|rel)name|\bto_jsonb?\b", " ".join(texts), re.IGNORECASE):
            known = {each.lower() for each in columns} | {"rowid"}
            yield (name, table), {each.lower() for one in texts for each in _ROW.findall(one)} - known


def _reading(schema: Schema, table: str, database: str) -> Iterator[str]:
    """The functions and triggers, on SQLite the views too, whose statements name the table."""
    texts = {f"function {name}": body(text) for name, text in schema.functions.items()}
    if database == SQLITE:
        texts = {f"trigger {name}": text for (name, _), text in schema.triggers.items()}
        texts |= {f"view {name}": text for name, text in schema.views.items()}
    for name, text in texts.items():
        found = statements(text, has_dynamic=True)
        if any(source.name == table for each in found for source in each.sources()):
            yield name
