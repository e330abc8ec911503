"""Alembic's directives recorded without a database: the SQL that each of them would run, and the line of its call."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from inspect import currentframe
from typing import Any

from alembic.ddl.impl import DefaultImpl
from alembic.ddl.postgresql import PostgresqlImpl
from alembic.operations import BatchOperations, Operations
from alembic.runtime.migration import MigrationContext
from sqlalchemy import Executable, MetaData, Table, TextClause, text
from sqlalchemy.dialects.postgresql import CreateEnumType, DropEnumType
from sqlalchemy.engine.result import IteratorResult, SimpleResultMetaData
from sqlalchemy.exc import NoInspectionAvailable, SQLAlchemyError
from sqlalchemy.schema import CreateTable, DropTable, ExecutableDDLElement

from service.migrate.dialects import ddl
from service.migrate.errors import Refused
from service.migrate.plan.faults import explained
from service.migrate.proof.lint.calls import Call, Stop, Style


def lines_of(file: str) -> tuple[int, ...]:
    """The lines of the file that are being run, the innermost first."""
    found: list[int] = []
    frame = currentframe()
    while frame is not None:
        if frame.f_code.co_filename == file:
            found.append(frame.f_lineno)
        frame = frame.f_back
    return tuple(found)


class Recorder:
    """Collects the calls of one function of a revision."""

    def __init__(self, file: str, phase: str, database: str) -> None:
        self.file, self.phase, self.database = file, phase, database
        self.calls: list[Call] = []
        self.needs_rows = False
        self.is_alone = False
        self.transaction = 0

    def note(self, statement: str, *, is_directive: bool) -> None:
        self.calls.append(
            Call(
                phase=self.phase,
                style=Style.PLAIN,
                text=statement,
                lines=lines_of(self.file),
                database=self.database,
                is_directive=is_directive,
                alone=self.is_alone,
                transaction=self.transaction,
            )
        )

    def block(self, *, begins: bool) -> None:
        """A block of autocommit begins or ends."""
        self.is_alone = begins
        self.transaction += 1


class _Recording(DefaultImpl):
    """Alembic's implementation of a database, which writes to a recorder and asks nothing of a connection."""

    recorder: Recorder

    def _exec(self, construct: Executable | str, *_: Any, **__: Any) -> None:
        statement = text(construct) if isinstance(construct, str) else construct
        written = compiled(statement, self.dialect.name)
        self.recorder.note(written, is_directive=isinstance(statement, ExecutableDDLElement))

    def bulk_insert(self, table: Any, rows: Any, multiinsert: bool = True) -> None:  # noqa: ARG002, FBT001, FBT002 - Alembic's signature
        names = ", ".join(rows[0]) if rows else ""
        self.recorder.note(f"INSERT INTO {table.name} ({names}) VALUES (…)", is_directive=True)

    def emit_begin(self) -> None:
        self.recorder.block(begins=False)

    def emit_commit(self) -> None:
        self.recorder.block(begins=True)


class _PostgreSQL(_Recording, PostgresqlImpl):
    pass


class _SQLite(_Recording):
    """Directives as Alembic writes them for any database: the rebuild, which keeps what is on a table, is no matter."""


def _as_written(operations: Operations) -> Callable[..., AbstractContextManager[BatchOperations]]:
    """`batch_alter_table` whose directives are recorded as they are written, without the copy of a rebuild."""
    batch_alter_table = operations.batch_alter_table

    def batch(table_name: str, *arguments: Any, **options: Any) -> AbstractContextManager[BatchOperations]:
        schema = arguments[0] if arguments else options.get("schema")
        return batch_alter_table(table_name, schema, recreate="never")

    return batch


class _Connection:
    """What `op.get_bind()` returns: statements are recorded, and every result is empty."""

    def __init__(self, recorder: Recorder, dialect: Any) -> None:
        self._recorder = recorder
        self.dialect = dialect

    def execute(self, statement: Any, *_: Any, **__: Any) -> Any:
        written = compiled(statement, self.dialect.name)
        if written.lstrip("( \n").lower().startswith(("select", "with", "show", "values")):
            self._recorder.needs_rows = True
        self._recorder.note(written, is_directive=False)
        return IteratorResult(SimpleResultMetaData([]), iter(()))

    exec_driver_sql = execute

    def execution_options(self, **_: Any) -> "_Connection":
        return self

    def in_transaction(self) -> bool:
        return True

    def _run_ddl_visitor(self, kind: type, element: Any, **_: Any) -> None:
        """What `create(bind)` of a type, of a table or of all tables calls."""
        is_made = "Generator" in kind.__name__
        for each in reversed(element.sorted_tables) if isinstance(element, MetaData) else [element]:
            made: Any = CreateTable if is_made else DropTable
            if not isinstance(each, Table):
                made = CreateEnumType if is_made else DropEnumType
            self._recorder.note(compiled(made(each), self.dialect.name), is_directive=True)

    def scalar(self, statement: Any, *arguments: Any) -> None:
        self.execute(statement, *arguments)

    def scalars(self, statement: Any, *arguments: Any) -> Any:
        return self.execute(statement, *arguments)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        self._recorder.needs_rows = True
        raise NoDatabase(name)


class NoDatabase(Exception):
    """The revision asks something of the database that only a database can answer."""


def compiled(statement: Any, database: str) -> str:
    """The statement as text, with its values where SQLAlchemy can write them."""
    if isinstance(statement, str):
        return statement
    if isinstance(statement, TextClause) and not any(each.value for each in statement._bindparams.values()):  # noqa: SLF001 - a text's parameters have no public name
        return statement.text
    dialect = ddl.dialect(database)
    try:
        return str(statement.compile(dialect=dialect, compile_kwargs={"literal_binds": True}))
    except (SQLAlchemyError, NotImplementedError, TypeError):
        return str(statement.compile(dialect=dialect))


def recorded(
    function: Callable[[], Any], file: str, phase: str, database: str, metadata: MetaData
) -> tuple[list[Call], Stop | None]:
    """The calls of a plain function of a revision, and why it could not be read to its end."""
    recorder = Recorder(file, phase, database)
    with _context(recorder, metadata):
        try:
            with explained(file):
                function()
        except Refused as refused:
            return recorder.calls, _stop(refused, recorder)
    # An empty result may have hidden what the function does with rows.
    stop = Stop(phase=phase, line=_asking(recorder), reason="", needs_rows=True) if recorder.needs_rows else None
    return recorder.calls, stop


def _stop(refused: Refused, recorder: Recorder) -> Stop:
    is_async = "Cannot call run_async" in str(refused)
    is_asking = recorder.needs_rows or is_async or isinstance(refused.__cause__, (NoDatabase, NoInspectionAvailable))
    return Stop.of(refused, recorder.phase, needs_rows=is_asking)


def _asking(recorder: Recorder) -> int:
    asked = (each for each in recorder.calls if not each.is_directive and "select" in each.text.lower())
    return next((each.line for each in asked), 0)


@contextmanager
def _context(recorder: Recorder, metadata: MetaData) -> Iterator[None]:
    options = {"as_sql": True, "target_metadata": metadata}
    context = MigrationContext.configure(dialect_name=recorder.database, opts=options)
    kind = _SQLite if recorder.database == "sqlite" else _PostgreSQL
    impl = kind(context.dialect, None, True, True, None, options)  # noqa: FBT003 - Alembic's own positional arguments
    impl.recorder = recorder
    impl.connection = _Connection(recorder, context.dialect)  # type: ignore[assignment] # it records in its place
    context.impl = impl
    with Operations.context(context) as operations:
        vars(operations)["batch_alter_table"] = _as_written(operations)
        yield
