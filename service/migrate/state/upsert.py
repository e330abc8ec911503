"""INSERT … ON CONFLICT DO UPDATE as text, which PostgreSQL and SQLite share."""

from sqlalchemy import Table, TextClause, bindparam, text


def upsert(table: Table) -> TextClause:
    """The statement that inserts a row, or updates the row with its primary key; it takes a value for each column."""
    key = [column.name for column in table.primary_key]
    names = [column.name for column in table.columns]
    changed = ", ".join(f"{name} = excluded.{name}" for name in names if name not in key)
    return text(
        f"INSERT INTO {table.name} ({', '.join(names)}) VALUES ({', '.join(f':{name}' for name in names)}) "
        f"ON CONFLICT ({', '.join(key)}) DO UPDATE SET {changed}"
    ).bindparams(*(bindparam(column.name, type_=column.type) for column in table.columns))
