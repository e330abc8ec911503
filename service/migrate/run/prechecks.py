"""The checks before a phase: missing tables and columns, attributes of tables, rows that violate a precondition."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

from sqlalchemy import Connection

from service.migrate.dialects import reflected
from service.migrate.dialects.kept import kept
from service.migrate.errors import Refused
from service.migrate.operations.base import Columns
from service.migrate.operations.preconditions import refuse_rows, refuse_rows_there
from service.migrate.operations.step import CATALOG, Precondition
from service.migrate.operations.survey.survey import Survey, refuse_attributes
from service.migrate.run.session import Session


@dataclass(kw_only=True)
class Checks:
    """Checks of one revision, in the transaction of `checking`; one that reads rows has a transaction of its own.

    A check of rows may take long, and a transaction keeps its locks on the tables that it has read.
    """

    session: Session
    revision: str
    transaction: ExitStack
    is_open: bool = False

    def enter(self) -> None:
        """Open the transaction, unless it is open."""
        if not self.is_open:
            self.transaction.enter_context(self.session.reading())
            self.is_open = True

    def _leave(self) -> None:
        self.transaction.close()
        self.is_open = False

    def before(
        self, *, needs: Sequence[Columns] = (), surveys: Sequence[Survey] = (), rows: Sequence[Precondition] = ()
    ) -> None:
        """Raises Refused if a table or column is missing, an attribute is not safe, or a precondition is violated."""
        self._refuse_missing(needs)
        if surveys:
            refuse_attributes(self.session.connection, self.revision, surveys)
        self._check(rows, refuse_rows)

    def there(self, rows: Sequence[Precondition]) -> None:
        """Check the preconditions whose columns exist; the step that restores a column from the trash checks others."""
        self._check(rows, refuse_rows_there)

    def _check(self, rows: Sequence[Precondition], refuse: Callable[[Connection, Precondition], None]) -> None:
        for each in rows:
            if each.script == CATALOG:
                self.enter()
                refuse(self.session.connection, each)
                continue
            self._leave()
            with self.session.reading():
                refuse(self.session.connection, each)

    def _refuse_missing(self, needs: Sequence[Columns]) -> None:
        connection = self.session.connection
        for table, columns in needs:
            if reflected.table_name(connection, table) is None:
                raise Refused(f"{self.revision} cannot be applied: the table {table} does not exist.")
            there = reflected.columns(connection, table)
            if missing := [each for each in columns if reflected.folded(self.session.dialect, each) not in there]:
                raise Refused(
                    f"{self.revision} cannot be applied: {table} has no column {' and no '.join(missing)}; "
                    f"it has {', '.join(column['name'] for column in there.values())}."
                )


@contextmanager
def checking(session: Session, revision: str) -> Iterator[Checks]:
    """A transaction for the questions before a phase, to the ledger too; the catalog answers each of them once."""
    with kept(session.connection), ExitStack() as transaction:
        checks = Checks(session=session, revision=revision, transaction=transaction)
        checks.enter()
        yield checks
