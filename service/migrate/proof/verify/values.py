"""What a database holds: every value as the database stores it, and the catalog."""

import warnings
from dataclasses import dataclass

from sqlalchemy import Connection, inspect
from sqlalchemy.exc import SAWarning

from service.migrate.dialects import ddl
from service.migrate.proof.catalog import catalog
from service.migrate.proof.diagram.reading import is_own
from service.migrate.proof.verify import sequences
from service.migrate.proof.verify.sequences import Position

# (table, column) to the values of that column by the key of their row.
Values = dict[tuple[str, str], dict[str, str]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """The values, the positions of sequences and the catalog, without the migrator's own tables and the trash."""

    values: Values
    catalog: tuple[str, ...]
    positions: tuple[Position, ...]


def taken(connection: Connection) -> Snapshot:
    """The snapshot of a database."""
    values: Values = {}
    for schema in (None, *catalog.other_schemas(connection)):
        values |= _of_schema(connection, schema)
    lines = catalog.lines(connection)
    return Snapshot(
        values=values,
        catalog=tuple(line for line in lines if ddl.TRASH not in line),
        positions=sequences.read(connection),
    )


def _of_schema(connection: Connection, schema: str | None) -> Values:
    inspector = inspect(connection)
    plain = schema.strip('"').replace('""', '"') if schema else None
    keys = inspector.get_multi_pk_constraint(schema=plain)
    found: Values = {}
    with warnings.catch_warnings():
        # Values are read as text, so that a type that SQLAlchemy does not know is no loss.
        warnings.simplefilter("ignore", SAWarning)
        tables = inspector.get_multi_columns(schema=plain)
    for (_, table), each in sorted(tables.items(), key=lambda item: item[0][1]):
        columns = [name for column in each if not ddl.is_trash(name := column["name"])]
        if columns and not is_own(table):
            key = keys[plain, table]
            prefix = f"{schema}." if schema else ""
            names = f"{prefix}{table}", f"{prefix}{ddl.quoted(table)}"
            found |= _of_table(connection, *names, columns, key["constrained_columns"] or columns)
    return found


def _of_table(connection: Connection, shown: str, name: str, columns: list[str], key: list[str]) -> Values:
    text = "typeof({0}) || ' ' || quote({0})" if connection.dialect.name == "sqlite" else "quote_nullable({0}::text)"
    read = [text.format(ddl.quoted(each)) for each in columns]
    rows = connection.exec_driver_sql(f"SELECT {', '.join(read)} FROM {name}").all()
    places = [columns.index(each) for each in key]
    found: Values = {(shown, column): {} for column in columns}
    for row in rows:
        id = ", ".join(row[place] for place in places)
        # Rows without a key may be alike.
        while id in found[shown, columns[0]]:
            id += " again"
        for column, value in zip(columns, row, strict=True):
            found[shown, column][id] = value
    return found


def lost(before: Values, after: Values, *, of_both: bool = False) -> list[str]:
    """What differs: one line for each column, with the first row; `of_both` leaves out columns that one lacks."""
    found = []
    for (table, column), values in before.items():
        if (table, column) not in after:
            found += [] if of_both else [f"{table}.{column} is gone"]
            continue
        now = after[table, column]
        if gone := [id for id in values if id not in now]:
            found.append(f"{table}: {len(gone)} rows are gone, such as {gone[0]}")
        changed = [id for id in values if id in now and now[id] != values[id]]
        if changed:
            id = changed[0]
            found.append(f"{table}.{column} differs in {len(changed)} rows: in {id} {values[id]} became {now[id]}")
    return list(dict.fromkeys(found))


def added(before: Values, after: Values) -> dict[str, list[str]]:
    """The keys of rows that only `after` has, by table; of the tables that both have."""
    found: dict[str, list[str]] = {}
    for (table, column), values in before.items():
        now = after.get((table, column))
        if now is not None and table not in found and (more := [id for id in now if id not in values]):
            found[table] = more
    return found
