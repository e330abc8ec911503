"""Alembic's operations on SQLite: native ALTER where it loses nothing, else one rebuild for a whole batch."""

import re
from collections.abc import Callable
from typing import Any

from alembic.ddl.sqlite import SQLiteImpl
from sqlalchemy import Column, Connection, Constraint, Index, Integer, MetaData, Table
from sqlalchemy.sql.compiler import DDLCompiler

from service.migrate.dialects.sqlite import add_column, catalog, clauses
from service.migrate.dialects.sqlite.definition import Definition
from service.migrate.dialects.sqlite.edit import Edit, edit
from service.migrate.dialects.sqlite.rebuild import require_loose_foreign_keys
from service.migrate.errors import Refused


class LosslessSQLite(SQLiteImpl):
    """Importing this class replaces Alembic's implementation, whose batch mode loses what it cannot reflect."""

    __dialect__ = "sqlite"
    # The engine emits BEGIN itself, so that DDL is transactional.
    transactional_ddl = True

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._batched: str | None = None
        self._changes: list[Edit] = []

    def requires_recreate_in_batch(self, batch_op: Any) -> bool:
        """Run the operations of `op.batch_alter_table` in one rebuild; Alembic then has nothing to recreate."""
        operations = [*batch_op.batch]
        batch_op.batch.clear()
        self._batched = batch_op.table_name
        try:
            for name, positional, named in operations:
                getattr(self, name)(*positional, **named)
            self._rebuild_batched()
        finally:
            self._batched = None
            self._changes.clear()
        return False

    def prep_table_for_batch(self, *_: Any) -> None:
        raise Refused(
            "batch_alter_table with recreate='always' loses triggers, checks and collations. "
            "Leave that argument out: on SQLite every operation rebuilds the table without loss."
        )

    def add_column(self, table_name: str, column: Column[Any], *, schema: str | None = None, **options: Any) -> None:
        if options.get("if_not_exists") and self._definition(table_name).has_column(column.name):
            return
        wanted = self._written(column)
        if add_column.is_native(wanted) and self._batched != table_name:
            self._exec_literally(f"ALTER TABLE {self._quote(table_name)} ADD COLUMN {wanted.text}")
        else:
            self._rebuild(table_name, schema, lambda definition: definition.add_column(wanted.text))
        if options.get("inline_references"):
            for constraint in {key.constraint for key in column.foreign_keys if key.constraint is not None}:
                self.add_constraint(constraint)

    def drop_column(self, table_name: str, column: Column[Any], *, schema: str | None = None, **options: Any) -> None:
        if options.get("if_exists") and not self._definition(table_name).has_column(column.name):
            return
        self._rebuild(table_name, schema, lambda definition: definition.drop_column(column.name), losing=column.name)

    def alter_column(self, table_name: str, column_name: str, **changes: Any) -> None:
        """Change type, default and nullability by a rebuild; rename natively, which updates every reference."""
        edit = self._edit(changes)
        if edit is not None:
            self._rebuild(
                table_name, changes.get("schema"), lambda definition: definition.change_column(column_name, edit)
            )
        if new_name := changes.get("name"):
            self._rebuild_batched()
            names = f"{self._quote(column_name)} TO {self._quote(new_name)}"
            self._exec_literally(f"ALTER TABLE {self._quote(table_name)} RENAME COLUMN {names}")

    def add_constraint(self, const: Constraint, **_: Any) -> None:
        rule = _rule(const)
        if rule is not None and not rule(self):
            return
        table = _table_of(const)
        wanted = self._compiler.process(const)
        self._rebuild(table.name, table.schema, lambda definition: definition.add_constraint(wanted))

    def drop_constraint(self, const: Constraint, **options: Any) -> None:
        table = _table_of(const)
        prepare = self.dialect.identifier_preparer.format_constraint
        name = None if const.name is None else prepare(const, _alembic_quote=False)
        if name is None:
            # The unnamed CHECK of a type, which Alembic drops without knowing whether it was created.
            if _rule(const) is not None:
                return
            raise Refused(f"The constraint of {table.name} has no name. Pass the name of the constraint to drop.")
        if options.get("if_exists") and not self._definition(table.name).has_constraint(name):
            return
        self._rebuild(table.name, table.schema, lambda definition: definition.drop_constraint(name))

    def create_index(self, index: Index, **options: Any) -> None:
        # The index may be on a column that the batch adds.
        self._rebuild_batched()
        super().create_index(index, **options)

    def _skip_functional_indexes(self, metadata_indexes: set[Index], conn_indexes: set[Index]) -> None:
        """Leave indexes on expressions to `entrypoints.expression_indexes`, which compares their statements."""
        names = {each.name for each in metadata_indexes if not all(isinstance(one, Column) for one in each.expressions)}
        for indexes in (metadata_indexes, conn_indexes):
            # Of a new table Alembic passes a frozenset, which is empty.
            for each in [each for each in indexes if each.name in names]:
                indexes.discard(each)

    def drop_table(self, table: Table, **options: Any) -> None:
        if not self.as_sql:
            require_loose_foreign_keys(self._connected)
        super().drop_table(table, **options)

    @property
    def _connected(self) -> Connection:
        if self.connection is None or self.as_sql:
            raise Refused(
                "A script cannot alter a table on SQLite: a rebuild needs the table's definition from the file. "
                "Pass a PostgreSQL URL, or run the migration on the SQLite file."
            )
        return self.connection

    @property
    def _compiler(self) -> DDLCompiler:
        build: Callable[..., DDLCompiler] = self.dialect.ddl_compiler
        return build(self.dialect, None)

    def _definition(self, table: str) -> Definition:
        self._rebuild_batched()
        return catalog.stored(self._connected, table).definition

    def _quote(self, name: str) -> str:
        return self.dialect.identifier_preparer.quote(name)

    def _exec_literally(self, sql: str) -> None:
        # text() would read a colon as a parameter.
        self._exec(re.sub(r":(?=\w)", r"\\:", sql))

    def _rebuild(
        self, table: str, schema: str | None, change: Callable[[Definition], Definition], *, losing: str | None = None
    ) -> None:
        """Rebuild the table with the change now, or at the end of the batch."""
        if schema not in (None, "main"):
            raise Refused(f"{schema}.{table} is in an attached database. Run the migration on that file.")
        self._changes.append(Edit(table=table, change=change, losing=losing))
        if self._batched != table:
            self._rebuild_with_changes()

    def _rebuild_batched(self) -> None:
        if self._batched is not None and self._changes:
            self._rebuild_with_changes()

    def _rebuild_with_changes(self) -> None:
        changes = [*self._changes]
        self._changes.clear()
        edit(self._connected, changes)

    def _written(self, column: Column[Any]) -> clauses.Column:
        """The column specification of CREATE TABLE, checks of its type included."""
        parts = [self._compiler.get_column_specification(column)]
        parts += [self._compiler.process(constraint) for constraint in column.constraints]
        return add_column.parenthesised(clauses.column(" ".join(parts)))

    def _edit(self, changes: dict[str, Any]) -> Callable[[clauses.Column], clauses.Column] | None:
        type_, nullable = changes.get("type_"), changes.get("nullable")
        default = changes.get("server_default", False)
        if type_ is None and nullable is None and default is False:
            return None
        column = Column("_", type_ or Integer(), server_default=None if default is False else default)
        Table("_", MetaData(), column)
        written = self._written(column)

        def edit(was: clauses.Column) -> clauses.Column:
            if type_ is not None:
                was = was.with_type(written.type)
                if written.clause("COLLATE"):
                    was = _replaced(was, written, "COLLATE")
            if default is not False:
                was = _replaced(was, written, "DEFAULT")
            if nullable is not None:
                was = _without(_without(was, "NOT NULL"), "NULL")
                was = was if nullable else was.with_clause("NOT NULL")
            return was

        return edit


def _without(was: clauses.Column, kind: str) -> clauses.Column:
    clause = was.clause(kind)
    return was if clause is None else was.without(clause)


def _replaced(was: clauses.Column, written: clauses.Column, kind: str) -> clauses.Column:
    clause = written.clause(kind)
    was = _without(was, kind)
    return was if clause is None else was.with_clause(written.text_of(clause))


def _rule(constraint: Constraint) -> Callable[[Any], bool] | None:
    """The rule that decides whether a type's check is created; `None` for an explicit constraint."""
    rule: Callable[[Any], bool] | None = getattr(constraint, "_create_rule", None)
    return rule


def _table_of(constraint: Constraint) -> Table:
    table = constraint.parent
    if not isinstance(table, Table):
        raise Refused("A constraint without a table cannot be altered. Attach the constraint to a table.")
    return table
