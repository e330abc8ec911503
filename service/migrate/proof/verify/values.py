"""What a database holds: every value as the database stores it, and the catalog."""

from dataclasses import dataclass

from sqlalchemy import Connection, inspect

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
    inspector = inspect(connection)
    values: Values = {}
    for table in sorted(inspector.get_table_names()):
        if not is_own(table):
            key = inspector.get_pk_constraint(table)["constrained_columns"]
            columns = [name for each in inspector.get_columns(table) if not ddl.is_trash(name := each["name"])]
            values |= _of_table(connection, table, columns, key or columns)
    lines = catalog.lines(connection)
    return Snapshot(
        values=values,
        catalog=tuple(line for line in lines if ddl.TRASH not in line),
        positions=sequences.read(connection),
    )


def _of_table(connection: Connection, table: str, columns: list[str], key: list[str]) -> Values:
    text = "typeof({0}) || ' ' || quote({0})" if connection.dialect.name == "sqlite" else "coalesce({0}::text, 'NULL')"
    read = [text.format(ddl.quoted(each)) for each in columns]
    rows = connection.exec_driver_sql(f"SELECT {', '.join(read)} FROM {ddl.quoted(table)}").all()
    places = [columns.index(each) for each in key]
    found: Values = {(table, name): {} for name in columns}
    for row in rows:
        id = ", ".join(row[place] for place in places)
        # Rows without a key may be alike.
        while id in found[table, columns[0]]:
            id += " again"
        for name, value in zip(columns, row, strict=True):
            found[table, name][id] = value
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
