"""The positions of sequences: the value that each column with a sequence, or with AUTOINCREMENT, gets next."""

from dataclasses import dataclass

from sqlalchemy import Connection

from service.migrate.dialects import ddl
from service.migrate.proof.diagram.reading import is_own

# Ids of rows that were deleted again lie between the greatest value and the next one.
_GAP = 10
_COLUMNS = """
SELECT DISTINCT s.oid::regclass::text, c.oid::regclass::text, c.relname, a.attname, q.seqincrement,
       least(q.seqmax, CASE a.atttypid WHEN 'int2'::regtype THEN 32767 WHEN 'int4'::regtype THEN 2147483647
                       ELSE q.seqmax END),
       q.seqmin, a.atttypid IN ('int2'::regtype, 'int4'::regtype, 'int8'::regtype)
FROM pg_sequence q JOIN pg_class s ON s.oid = q.seqrelid AND s.relnamespace = current_schema()::regnamespace
JOIN (
  SELECT objid AS sequence, refobjid AS relation, refobjsubid AS number FROM pg_depend
  WHERE classid = 'pg_class'::regclass AND refclassid = 'pg_class'::regclass AND refobjsubid > 0
    AND deptype IN ('a', 'i')
  UNION
  SELECT refobjid, adrelid, adnum FROM pg_depend JOIN pg_attrdef ON pg_attrdef.oid = objid
  WHERE classid = 'pg_attrdef'::regclass AND refclassid = 'pg_class'::regclass
) AS used ON used.sequence = s.oid
JOIN pg_class c ON c.oid = used.relation
JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = used.number AND NOT a.attisdropped
WHERE NOT q.seqcycle ORDER BY 1, 3, 4
"""
_AUTOINCREMENT = "SELECT name FROM sqlite_schema WHERE name = 'sqlite_sequence'"
# A table without a row there has given no value.
_GIVEN = (
    "SELECT t.name, coalesce(s.seq, 0) FROM sqlite_schema t LEFT JOIN sqlite_sequence s ON s.name = t.name "
    "WHERE t.type = 'table' AND t.sql LIKE '%AUTOINCREMENT%'"
)
_ROWID_COLUMN = "SELECT name FROM pragma_table_info(?) WHERE pk = 1"


@dataclass(frozen=True, slots=True, kw_only=True)
class Position:
    """The next value of a sequence; `taken` is the last value of the column that the sequence is yet to give."""

    sequence: str
    column: str
    next: int
    ascends: bool = True
    taken: int | None = None


def read(connection: Connection) -> tuple[Position, ...]:
    """The position of each sequence that a column owns or has as its default; those that cycle are left out."""
    found = _of_sqlite(connection) if connection.dialect.name == "sqlite" else _of_postgresql(connection)
    return tuple(found)


def advance(connection: Connection) -> None:
    """Put each ascending sequence behind the values of its column, which generated rows have without it."""
    if connection.dialect.name == "sqlite":
        if connection.exec_driver_sql(_AUTOINCREMENT).scalar() is not None:
            connection.exec_driver_sql(f"UPDATE sqlite_sequence SET seq = seq + {_GAP} WHERE seq < 1000000000")
        return
    most = {row[0]: row[5] for row in connection.exec_driver_sql(_COLUMNS)}
    for each in _of_postgresql(connection):
        target = max(each.next, (each.taken or 0) + 1) + _GAP
        if each.ascends and target <= most[each.sequence]:
            connection.exec_driver_sql(f"SELECT setval({ddl.literal(each.sequence)}::regclass, {target}, false)")


def behind(before: tuple[Position, ...], after: tuple[Position, ...]) -> list[str]:
    """Where a sequence gives values again: one line for each sequence and column."""
    known = {(each.sequence, each.column): each for each in before}
    found = []
    for each in after:
        was = known.get((each.sequence, each.column))
        name = f"{each.sequence} of {each.column}"
        if each.taken is not None and (was is None or was.taken is None):
            found.append(
                f"{name}: the next value is {each.next}, and the column already has {each.taken}, "
                "so that an INSERT fails on a duplicate key or repeats a value"
            )
        elif was is not None and (each.next < was.next if each.ascends else each.next > was.next):
            found.append(f"{name}: the next value was {was.next} and is {each.next}, so that values are given again")
    return found


def _of_postgresql(connection: Connection) -> list[Position]:
    columns = connection.exec_driver_sql(_COLUMNS).all()
    queries = []
    for at, (sequence, relation, _, column, step, most, least, is_integer) in enumerate(columns):
        next_one = f"(last_value + CASE WHEN is_called THEN {step} ELSE 0 END)"
        name, to_come = ddl.quoted(column), f"BETWEEN {next_one} AND {most}"
        if step < 0:
            to_come = f"BETWEEN {least} AND {next_one}"
        last = f"{'max' if step > 0 else 'min'}({name})::bigint"
        where = f"{name} {to_come} AND ({name}::numeric - {next_one}) % {step} = 0"
        taken = f"(SELECT {last} FROM {relation} WHERE {where})" if is_integer else "NULL::bigint"
        queries.append(f"SELECT {at}, {next_one}, {taken} FROM {sequence}")
    if not queries:
        return []
    found = []
    for at, next_one, taken in connection.exec_driver_sql(" UNION ALL ".join(queries)):
        sequence, _, table, column, step, *_ = columns[at]
        if not is_own(table):
            found.append(
                Position(sequence=sequence, column=f"{table}.{column}", next=next_one, ascends=step > 0, taken=taken)
            )
    return found


def _of_sqlite(connection: Connection) -> list[Position]:
    if connection.exec_driver_sql(_AUTOINCREMENT).scalar() is None:
        return []
    found = []
    for table, given in connection.exec_driver_sql(_GIVEN).all():
        column = connection.exec_driver_sql(_ROWID_COLUMN, (table,)).scalar()
        if column is None or is_own(table):
            continue
        most = connection.exec_driver_sql(f"SELECT max({ddl.quoted(column)}) FROM {ddl.quoted(table)}").scalar() or 0
        found.append(Position(sequence="sqlite_sequence", column=f"{table}.{column}", next=max(given, most) + 1))
    return found
