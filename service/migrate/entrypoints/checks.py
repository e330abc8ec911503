"""Autogenerate's CHECK constraints of tables that exist, which Alembic does not compare: by name and by definition."""

from collections.abc import Iterator
from typing import Any

from alembic.operations.ops import (
    CreateCheckConstraintOp,
    CreateTableOp,
    DropConstraintOp,
    MigrationScript,
    ModifyTableOps,
)
from alembic.runtime.migration import MigrationContext
from sqlalchemy import CheckConstraint, Connection, MetaData, Table, TextClause
from sqlalchemy.schema import conv

from service.migrate.dialects import ddl, reflected
from service.migrate.dialects.reflected import folded
from service.migrate.dialects.sqlite import comparing
from service.migrate.dialects.sqlite.definition import parse
from service.migrate.entrypoints.definitions import is_check
from service.migrate.entrypoints.dividing import Replaced
from service.migrate.operations.constraints.check_unique import AddCheck
from service.migrate.operations.step import Target

_NOT_VALID = " NOT VALID"
# No definition of a revision states NO INHERIT or NOT ENFORCED.
_CHECKS = """
SELECT conname, pg_get_constraintdef(oid) AS text FROM pg_constraint
WHERE conrelid = {} AND contype = 'c' AND conislocal AND NOT connoinherit
  AND pg_get_constraintdef(oid) NOT LIKE '% NOT ENFORCED' ORDER BY conname
"""


def add(context: MigrationContext, script: MigrationScript) -> None:
    """Add the operations for CHECK constraints; one without a name is neither added nor changed."""
    metadata, connection = context.opts.get("target_metadata"), context.connection
    if connection is None or context.as_sql or script.upgrade_ops is None or not isinstance(metadata, MetaData):
        return
    created = {each.table_name: each for each in script.upgrade_ops.ops if isinstance(each, CreateTableOp)}
    for _, table in sorted(metadata.tables.items()):
        if table.name in created:
            _add_checks_of_columns(created[table.name], table, connection.dialect.name)
        elif table.schema is None and reflected.table_name(connection, table.name) is not None:
            drops, others = _compared(connection, table)
            # A column is dropped after its constraints, and added before them.
            script.upgrade_ops.ops[:0] = [ModifyTableOps(table.name, drops)] if drops else []
            script.upgrade_ops.ops += [ModifyTableOps(table.name, others)] if others else []


def _add_checks_of_columns(operation: CreateTableOp, table: Table, database: str) -> None:
    """Write the checks of single columns, and those of Enums, as constraints of the table, which Alembic leaves out.

    An Enum's has the name that the naming convention of the models gives it.
    """
    named, unnamed = _modelled(table, database)
    left_out = {id(each) for column in table.columns for each in column.constraints}
    left_out |= {id(each) for each in table.constraints if getattr(each, "_type_bound", False)}
    checks = [*((conv(name), each) for name, each in sorted(named.items())), *((None, each) for each in unnamed)]
    operation.columns = [
        *operation.columns,
        *(
            CheckConstraint(_text(each, database), name=name, **each.dialect_kwargs)
            for name, each in checks
            if id(each) in left_out
        ),
    ]


def _compared(connection: Connection, table: Table) -> tuple[list[Any], list[Any]]:
    """The operations that drop checks, and those that add or replace checks; by name where PostgreSQL is only read."""
    database, on = connection.dialect.name, reflected.table_name(connection, table.name) or table.name
    stored = {folded(database, name): (name, text) for name, text in _stored(connection, on).items()}
    others: list[Any] = []
    # PostgreSQL writes a definition in its own way on a copy of the table, which a read-only session cannot make.
    is_readable = database != "postgresql" or connection.exec_driver_sql("SHOW transaction_read_only").scalar() == "off"
    named, unnamed = _modelled(table, database)
    for name in _of_native_types(table, database):
        if name not in named:
            stored.pop(folded(database, name), None)
    for name, check in sorted(named.items()):
        was = stored.pop(folded(database, name), None)
        now = CreateCheckConstraintOp(conv(name), table.name, _text(check, database), **check.dialect_kwargs)
        if was is None:
            others.append(now)
        elif is_readable and _is_other(connection, table.name, name, check):
            others.append(Replaced(_drop(table.name, *was), now))
    for check in unnamed:
        # PostgreSQL names it.
        candidates = stored.items() if is_readable else ()
        same = next((key for key, (name, _) in candidates if not _is_other(connection, on, name, check)), None)
        if same is None:
            return [], others
        stored.pop(same)
    return [_drop(table.name, *was) for was in stored.values()], others


def _modelled(table: Table, database: str) -> tuple[dict[str, CheckConstraint], list[CheckConstraint]]:
    """The checks of a model, by name and without a name, those of its types and of single columns among them."""
    format_name = ddl.compiler(database).preparer.format_constraint
    every = (*table.constraints, *(one for column in table.columns for one in column.constraints))
    checks = [each for each in every if is_check(each)]
    unnamed = [each for each in checks if each.name is None]
    return {str(format_name(each, _alembic_quote=False)): each for each in checks if each not in unnamed}, unnamed


def _of_native_types(table: Table, database: str) -> Iterator[str]:
    """The names that checks may have of types that the other database has natively, such as Boolean."""
    format_name = ddl.compiler(database).preparer.format_constraint
    for each in table.constraints:
        if isinstance(each, CheckConstraint) and each.name is not None and not is_check(each):
            yield str(format_name(each, _alembic_quote=False))
    yield from (name for column in table.columns if (name := getattr(column.type, "name", None)))


def _text(check: CheckConstraint, database: str) -> TextClause:
    # As an expression of columns it would become a constraint of the model.
    return ddl.verbatim(ddl.expression_text(check.sqltext, database))


def _stored(connection: Connection, table: str) -> dict[str, str]:
    """The named checks of a table, each with its text from CHECK on; PostgreSQL's without inherited ones."""
    if connection.dialect.name == "postgresql":
        return {row.conname: row.text for row in connection.exec_driver_sql(_CHECKS.format(ddl.regclass(table)))}
    asked = f"SELECT sql FROM sqlite_schema WHERE type = 'table' AND name = {ddl.literal(table)}"
    return comparing.checks(parse(connection.exec_driver_sql(asked).scalar_one(), table))


def _is_other(connection: Connection, table: str, name: str, check: CheckConstraint) -> bool:
    same = AddCheck(table=table, name=name, condition=check.sqltext).same(_target(connection))
    assert callable(same.rows)  # noqa: S101 - as `same` makes it
    return bool(same.rows(connection))


def _target(connection: Connection) -> Target:
    return Target(dialect=connection.dialect.name, revision="")


def _drop(table: str, name: str, text: str) -> DropConstraintOp:
    """The operation that drops the check of this text, such as `CHECK ((a > 1)) NOT VALID`."""
    condition = text[text.index("(") + 1 : text.rindex(")")]
    options: dict[str, Any] = {"postgresql_not_valid": True} if text.endswith(_NOT_VALID) else {}
    check = CheckConstraint(ddl.verbatim(condition.strip()), name=conv(name), **options)
    Table(table, MetaData(), check)
    return DropConstraintOp.from_constraint(check)
