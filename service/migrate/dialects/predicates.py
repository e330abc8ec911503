"""Catalog queries of either database, each a SELECT of one boolean."""

from service.migrate.dialects.ddl import literal, quoted, regclass


def has_table(database: str, table: str) -> str:
    if database == "sqlite":
        return f"SELECT EXISTS (SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = {literal(table)})"
    return (
        "SELECT EXISTS (SELECT FROM pg_class WHERE relnamespace = current_schema()::regnamespace "
        f"AND relkind IN ('r', 'p') AND relname = {literal(table)})"
    )


def has_column(database: str, table: str, column: str) -> str:
    if database == "sqlite":
        return f"SELECT EXISTS (SELECT 1 FROM pragma_table_info({literal(table)}) WHERE name = {literal(column)})"
    return (
        f"SELECT EXISTS (SELECT FROM pg_attribute WHERE attrelid = {regclass(table)} "
        f"AND attname = {literal(column)} AND NOT attisdropped)"
    )


def has_rows(table: str) -> str:
    return f"SELECT EXISTS (SELECT 1 FROM {quoted(table)})"


def refuses_null(database: str, table: str, column: str) -> str:
    if database == "sqlite":
        of = f"pragma_table_info({literal(table)}) WHERE name = {literal(column)}"
        return f'SELECT EXISTS (SELECT 1 FROM {of} AND "notnull")'
    return (
        f"SELECT EXISTS (SELECT FROM pg_attribute WHERE attrelid = {regclass(table)} "
        f"AND attname = {literal(column)} AND attnotnull AND NOT attisdropped)"
    )


def has_constraint(database: str, table: str, name: str, *, valid: bool = False) -> str:
    if database == "sqlite":
        names = dict.fromkeys((name, quoted(name)))
        words = " OR ".join(f"instr(sql, {literal(f'CONSTRAINT {each} ')})" for each in names)
        of = f"sqlite_schema WHERE type = 'table' AND name = {literal(table)}"
        return f"SELECT EXISTS (SELECT 1 FROM {of} AND ({words}))"
    more = " AND convalidated" if valid else ""
    return (
        f"SELECT EXISTS (SELECT FROM pg_constraint WHERE conrelid = {regclass(table)} "
        f"AND conname = {literal(name)}{more})"
    )


def has_index(database: str, name: str, *, valid: bool = True) -> str:
    """`valid=False` asks for an invalid index, which a failed CREATE INDEX CONCURRENTLY leaves."""
    if database == "sqlite":
        return f"SELECT EXISTS (SELECT 1 FROM sqlite_schema WHERE type = 'index' AND name = {literal(name)})"
    return (
        "SELECT EXISTS (SELECT FROM pg_index JOIN pg_class ON pg_class.oid = indexrelid "
        f"WHERE relnamespace = current_schema()::regnamespace AND relname = {literal(name)} "
        f"AND {'' if valid else 'NOT '}indisvalid)"
    )


def has_trigger(database: str, table: str, name: str) -> str:
    if database == "sqlite":
        return f"SELECT EXISTS (SELECT 1 FROM sqlite_schema WHERE type = 'trigger' AND name = {literal(name)})"
    return f"SELECT EXISTS (SELECT FROM pg_trigger WHERE tgrelid = {regclass(table)} AND tgname = {literal(name)})"


def has_trigger_of(table: str, function: str) -> str:
    """PostgreSQL: whether the table has a trigger, of whatever name, that calls the function."""
    return (
        f"SELECT EXISTS (SELECT FROM pg_trigger JOIN pg_proc ON pg_proc.oid = tgfoid WHERE tgrelid = {regclass(table)} "
        f"AND proname = {literal(function)})"
    )


def has_function(name: str) -> str:
    return (
        "SELECT EXISTS (SELECT FROM pg_proc WHERE pronamespace = current_schema()::regnamespace "
        f"AND proname = {literal(name)})"
    )


def has_view(database: str, name: str) -> str:
    if database == "sqlite":
        return f"SELECT EXISTS (SELECT 1 FROM sqlite_schema WHERE type = 'view' AND name = {literal(name)})"
    return (
        "SELECT EXISTS (SELECT FROM pg_class WHERE relnamespace = current_schema()::regnamespace "
        f"AND relkind = 'v' AND relname = {literal(name)})"
    )


def negated(question: str) -> str:
    return f"SELECT NOT ({question})"


def either(*questions: str) -> str:
    return "SELECT " + " OR ".join(f"({question})" for question in questions)


def both(*questions: str) -> str:
    return "SELECT " + " AND ".join(f"({question})" for question in questions)
