"""Column types that behave alike on SQLite and PostgreSQL."""

from datetime import UTC, datetime
from typing import Any

import msgspec
from sqlalchemy import JSON, BigInteger, Boolean, DateTime, Dialect, Integer, String, Text, TypeDecorator
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.expression import FunctionElement
from sqlalchemy.types import TypeEngine

# SQLite hands out AUTOINCREMENT ids for the type INTEGER alone.
Key = BigInteger().with_variant(Integer(), "sqlite")

# None is SQL's NULL, which a column may refuse, and never the JSON text null.
Document = JSON(none_as_null=True).with_variant(JSONB(none_as_null=True), "postgresql")

# asyncpg takes Python's first and last moment for PostgreSQL's infinities, so their days are left out.
_FIRST_MOMENT = datetime(1, 1, 2, tzinfo=UTC)
_END_OF_TIME = datetime(9999, 12, 31, tzinfo=UTC)


_decode_texts = msgspec.json.Decoder(list[str]).decode


def folded(length: int) -> TypeEngine[str]:
    """Text that both databases order and compare by its bytes; it holds what `service.db.folding.fold` returns."""
    return String(length).with_variant(String(length, collation="C"), "postgresql")


def in_utc(moment: datetime) -> datetime:
    """Return an aware moment in UTC; raises ValueError for one that PostgreSQL and Python do not both hold."""
    if not _FIRST_MOMENT <= moment < _END_OF_TIME:
        raise ValueError("Expected a time from 0001-01-02 to 9999-12-30, in UTC")
    return moment.astimezone(UTC)


class UtcDateTime(TypeDecorator[datetime]):
    """An aware moment in UTC; SQLite keeps it as text of one fixed width, so that text order is time order."""

    impl = DateTime(timezone=True)
    cache_ok = True

    @property
    def python_type(self) -> type[datetime]:
        return datetime

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        if value.tzinfo is None:
            message = "A time without an offset reached the database."
            raise ValueError(message)
        value = value.astimezone(UTC)
        return value.replace(tzinfo=None) if dialect.name == "sqlite" else value

    def result_processor(self, dialect: Dialect, coltype: object) -> Any:  # noqa: ARG002 - SQLAlchemy passes it
        # asyncpg gives aware moments as they are: no call per value.
        return _moment if dialect.name == "sqlite" else None


def _moment(text: str | None) -> datetime | None:
    if text is None:
        return None
    try:
        return datetime.fromisoformat(f"{text}+00:00")
    except ValueError:
        # Another program wrote it, with an offset of its own.
        return datetime.fromisoformat(text).astimezone(UTC)


class TextList(TypeDecorator[list[str]]):
    """The result of an aggregate: a list of texts, which SQLite gives as JSON."""

    impl = Text
    cache_ok = True

    def result_processor(self, dialect: Dialect, coltype: object) -> Any:  # noqa: ARG002 - SQLAlchemy passes it
        return _texts if dialect.name == "sqlite" else None


def _texts(text: str) -> list[str]:
    # Most lists are empty.
    return [] if text == "[]" else _decode_texts(text)


class RawText(TypeDecorator[msgspec.Raw]):
    """Text that is JSON already, which an answer shows as it is."""

    impl = Text
    cache_ok = True

    def result_processor(self, dialect: Dialect, coltype: object) -> Any:  # noqa: ARG002 - SQLAlchemy passes it
        return lambda text: None if text is None else msgspec.Raw(text.encode())


class now(FunctionElement[datetime]):  # noqa: N801 - written like the SQL functions it stands beside
    """The server's present moment, on SQLite in the very text form that `UtcDateTime` writes."""

    type = UtcDateTime()
    inherit_cache = True


@compiles(now)
def _now(_element: now, _compiler: SQLCompiler, **_: Any) -> str:
    return "CURRENT_TIMESTAMP"


@compiles(now, "sqlite")
def _now_on_sqlite(_element: now, _compiler: SQLCompiler, **_: Any) -> str:
    # CURRENT_TIMESTAMP has no fraction there: such a row would sort before its own cursor.
    return "(strftime('%Y-%m-%d %H:%M:%f000', 'now'))"


class current_transaction(FunctionElement[int]):  # noqa: N801 - as `now`
    """The id of the transaction that writes; 0 on SQLite, whose one writer needs none."""

    type = BigInteger()
    inherit_cache = True


@compiles(current_transaction)
def _current_transaction(_element: current_transaction, _compiler: SQLCompiler, **_: Any) -> str:
    return "pg_current_xact_id()::text::bigint"


@compiles(current_transaction, "sqlite")
def _current_transaction_on_sqlite(_element: current_transaction, _compiler: SQLCompiler, **_: Any) -> str:
    return "0"


class holds(FunctionElement[bool]):  # noqa: N801 - as `now`
    """Tell whether a JSON list of strings holds one of them: `holds(column, value)`."""

    type = Boolean()
    inherit_cache = True


@compiles(holds)
def _holds(element: holds, compiler: SQLCompiler, **more: Any) -> str:
    document, value = (compiler.process(each, **more) for each in element.clauses)
    return f"{document} @> jsonb_build_array(CAST({value} AS TEXT))"


@compiles(holds, "sqlite")
def _holds_on_sqlite(element: holds, compiler: SQLCompiler, **more: Any) -> str:
    document, value = (compiler.process(each, **more) for each in element.clauses)
    return f"{value} IN (SELECT held.value FROM json_each({document}) AS held)"


class JsonText(TypeDecorator[Any]):
    """JSON kept as text, which is sent to callers as it is."""

    impl = Text
    cache_ok = True

    def process_result_value(self, value: str | None, dialect: Dialect) -> Any:  # noqa: ARG002 - SQLAlchemy passes it
        return None if value is None else msgspec.Raw(value.encode())


class first_open_transaction(FunctionElement[int]):  # noqa: N801 - as `now`
    """The id below which every transaction has ended; on SQLite, whose one writer commits in order, above all."""

    type = BigInteger()
    inherit_cache = True


@compiles(first_open_transaction)
def _first_open_transaction(_element: first_open_transaction, _compiler: SQLCompiler, **_: Any) -> str:
    return "CAST(CAST(pg_snapshot_xmin(pg_current_snapshot()) AS text) AS bigint)"


@compiles(first_open_transaction, "sqlite")
def _first_open_transaction_on_sqlite(_element: first_open_transaction, _compiler: SQLCompiler, **_: Any) -> str:
    return "1"


class next_transaction(FunctionElement[int]):  # noqa: N801 - as `now`
    """An id that no transaction of this server has reached."""

    type = BigInteger()
    inherit_cache = True


@compiles(next_transaction)
def _next_transaction(_element: next_transaction, _compiler: SQLCompiler, **_: Any) -> str:
    return "CAST(CAST(pg_snapshot_xmax(pg_current_snapshot()) AS text) AS bigint)"


@compiles(next_transaction, "sqlite")
def _next_transaction_on_sqlite(_element: next_transaction, _compiler: SQLCompiler, **_: Any) -> str:
    return "1"


class holds_bytes(FunctionElement[bool]):  # noqa: N801 - as `now`
    """Tell whether bytes hold other bytes: `holds_bytes(column, value)`."""

    type = Boolean()
    inherit_cache = True


@compiles(holds_bytes)
def _holds_bytes(element: holds_bytes, compiler: SQLCompiler, **more: Any) -> str:
    whole, part = (compiler.process(each, **more) for each in element.clauses)
    return f"position(CAST({part} AS BYTEA) IN {whole}) > 0"


@compiles(holds_bytes, "sqlite")
def _holds_bytes_on_sqlite(element: holds_bytes, compiler: SQLCompiler, **more: Any) -> str:
    whole, part = (compiler.process(each, **more) for each in element.clauses)
    return f"instr({whole}, {part}) > 0"
