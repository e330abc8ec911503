"""A declaration with each attribute of SQLAlchemy's constructs: what is made, and what is refused."""

from collections.abc import Callable
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql

from service.migrate import ops


def a(*items: Any, **options: Any) -> sa.Column[Any]:
    return sa.Column("a", sa.Integer(), *items, **options)


def u(*items: Any, **options: Any) -> None:
    """Create a table with the columns a and b, or with these columns."""
    columns = () if any(isinstance(each, sa.Column) for each in items) else (a(), sa.Column("b", sa.Integer()))
    ops.create_table("u", *columns, *items, **options)


def index(**options: Any) -> None:
    ops.create_index("x", "t", ["a"], **options)


def key(**options: Any) -> None:
    ops.add_foreign_key("t", "x", ["a"], "u", **options)


def inline(**options: Any) -> None:
    u(a(sa.ForeignKey("t.id", name="x", **options)))


def unique(**options: Any) -> None:
    ops.add_unique("t", "x", ["a"], **options)


def primary(**options: Any) -> None:
    u(sa.PrimaryKeyConstraint("a", name="x", **options))


def check(**options: Any) -> None:
    ops.add_check("t", "x", "a > 0", **options)


def exclude(**options: Any) -> None:
    u(postgresql.ExcludeConstraint(("a", "="), name="x", **options))


def identity(**options: Any) -> None:
    u(a(sa.Identity(**options), primary_key=True))


# A declaration with each attribute, and a pattern in the SQL of PostgreSQL (of SQLite for sqlite_…).
MADE: dict[str, tuple[Callable[[], None], str]] = {
    "Column.autoincrement": (lambda: u(a(primary_key=True, autoincrement=False)), "a INTEGER NOT NULL"),
    "Column.index": (lambda: u(a(index=True)), r"CREATE INDEX \w+ ON u \(a\)"),
    "Column.unique": (lambda: u(a(unique=True)), r"UNIQUE \(a\)"),
    "Column.nullable": (lambda: u(a(nullable=False)), "NOT NULL"),
    "Column.primary_key": (lambda: u(a(primary_key=True)), r"PRIMARY KEY \(a\)"),
    "Column.server_default": (lambda: u(a(server_default="7")), "DEFAULT '7'"),
    "Column.comment": (lambda: ops.add_column("t", a(comment="50% :x")), "COMMENT ON COLUMN t.a IS '50% :x'"),
    "Column.sqlite_on_conflict_primary_key": (
        lambda: u(a(primary_key=True, sqlite_on_conflict_primary_key="FAIL")),
        "ON CONFLICT FAIL",
    ),
    "Column.sqlite_on_conflict_not_null": (
        lambda: u(a(nullable=False, sqlite_on_conflict_not_null="FAIL")),
        "NOT NULL ON CONFLICT FAIL",
    ),
    "Column.sqlite_on_conflict_unique": (
        lambda: u(a(unique=True, sqlite_on_conflict_unique="FAIL")),
        "ON CONFLICT FAIL",
    ),
    "Table.comment": (lambda: u(comment="it's"), "COMMENT ON TABLE u IS 'it''s'"),
    "Table.prefixes": (lambda: u(prefixes=["UNLOGGED"]), "CREATE UNLOGGED TABLE u"),
    "Table.postgresql_tablespace": (lambda: u(postgresql_tablespace="fast"), "TABLESPACE fast"),
    "Table.postgresql_partition_by": (lambda: u(postgresql_partition_by="HASH (a)"), r"PARTITION BY HASH \(a\)"),
    "Table.postgresql_inherits": (lambda: u(postgresql_inherits="t"), r"INHERITS"),
    "Table.postgresql_using": (lambda: u(postgresql_using="heap"), "USING heap"),
    "Table.sqlite_autoincrement": (lambda: u(a(primary_key=True), sqlite_autoincrement=True), "AUTOINCREMENT"),
    "Table.sqlite_with_rowid": (lambda: u(a(primary_key=True), sqlite_with_rowid=False), "WITHOUT ROWID"),
    "Table.sqlite_strict": (lambda: u(sqlite_strict=True), "STRICT"),
    "Index.unique": (lambda: index(unique=True), "CREATE UNIQUE INDEX CONCURRENTLY x"),
    "Index.postgresql_using": (lambda: index(postgresql_using="gin"), r"USING gin \(a\)"),
    "Index.postgresql_include": (lambda: index(postgresql_include=["b"]), r"\(a\) INCLUDE \(b\)"),
    "Index.postgresql_where": (lambda: index(postgresql_where=sa.column("b") > 0), "WHERE b > 0"),
    "Index.postgresql_ops": (lambda: index(postgresql_ops={"a": "text_pattern_ops"}), r"\(a text_pattern_ops\)"),
    "Index.postgresql_concurrently": (lambda: index(postgresql_concurrently=True), "INDEX CONCURRENTLY"),
    "Index.postgresql_with": (lambda: index(postgresql_with={"fillfactor": 70}), r"WITH \(fillfactor = 70\)"),
    "Index.postgresql_tablespace": (lambda: index(postgresql_tablespace="fast"), "TABLESPACE fast"),
    "Index.postgresql_nulls_not_distinct": (
        lambda: index(unique=True, postgresql_nulls_not_distinct=True),
        "NULLS NOT DISTINCT",
    ),
    "Index.sqlite_where": (lambda: index(sqlite_where="b > 0"), "WHERE b > 0"),
    "CheckConstraint.sqltext": (
        lambda: ops.add_check("t", "x", sa.column("a").in_([1, 2])),
        r"CHECK \(a IN \(1, 2\)\)",
    ),
    "CheckConstraint.comment": (lambda: check(comment="x"), "COMMENT ON CONSTRAINT x ON t IS 'x'"),
    "CheckConstraint.postgresql_not_valid": (lambda: check(postgresql_not_valid=True), r"\(a > 0\) NOT VALID$"),
    "ForeignKeyConstraint.onupdate": (lambda: key(onupdate="CASCADE"), "ON UPDATE CASCADE"),
    "ForeignKeyConstraint.ondelete": (lambda: key(ondelete="SET NULL (a)"), r"ON DELETE SET NULL \(a\)"),
    "ForeignKeyConstraint.deferrable": (lambda: key(deferrable=True), "DEFERRABLE"),
    "ForeignKeyConstraint.initially": (lambda: key(initially="DEFERRED"), "INITIALLY DEFERRED"),
    "ForeignKeyConstraint.match": (lambda: key(match="FULL"), "MATCH FULL"),
    "ForeignKeyConstraint.comment": (lambda: key(comment="x"), "COMMENT ON CONSTRAINT x ON t IS 'x'"),
    "ForeignKeyConstraint.postgresql_not_valid": (lambda: key(postgresql_not_valid=True), "NOT VALID$"),
    "ForeignKey.onupdate": (lambda: inline(onupdate="CASCADE"), "ON UPDATE CASCADE"),
    "ForeignKey.ondelete": (lambda: inline(ondelete="CASCADE"), "ON DELETE CASCADE"),
    "ForeignKey.deferrable": (lambda: inline(deferrable=True), "DEFERRABLE"),
    "ForeignKey.initially": (lambda: inline(initially="DEFERRED"), "INITIALLY DEFERRED"),
    "ForeignKey.match": (lambda: inline(match="FULL"), "MATCH FULL"),
    "ForeignKey.comment": (lambda: inline(comment="x"), "COMMENT ON CONSTRAINT x ON u IS 'x'"),
    "ForeignKey.postgresql_not_valid": (lambda: inline(postgresql_not_valid=True), "NOT VALID$"),
    "UniqueConstraint.comment": (lambda: unique(comment="x"), "COMMENT ON CONSTRAINT x ON t IS 'x'"),
    "UniqueConstraint.postgresql_include": (lambda: unique(postgresql_include=["b"]), r"\(a\) INCLUDE \(b\)"),
    "UniqueConstraint.postgresql_nulls_not_distinct": (
        lambda: unique(postgresql_nulls_not_distinct=True),
        "NULLS NOT DISTINCT",
    ),
    "UniqueConstraint.sqlite_on_conflict": (lambda: unique(sqlite_on_conflict="FAIL"), "ON CONFLICT FAIL"),
    "UniqueConstraint.deferrable": (lambda: unique(deferrable=True), "UNIQUE USING INDEX x DEFERRABLE"),
    "UniqueConstraint.initially": (lambda: unique(initially="DEFERRED"), "USING INDEX x INITIALLY DEFERRED"),
    "PrimaryKeyConstraint.comment": (lambda: primary(comment="x"), "COMMENT ON CONSTRAINT x ON u IS 'x'"),
    "PrimaryKeyConstraint.postgresql_include": (lambda: primary(postgresql_include=["b"]), r"\(a\) INCLUDE \(b\)"),
    "PrimaryKeyConstraint.sqlite_on_conflict": (lambda: primary(sqlite_on_conflict="FAIL"), "ON CONFLICT FAIL"),
    "PrimaryKeyConstraint.deferrable": (lambda: primary(deferrable=True), r"KEY \(a\) DEFERRABLE"),
    "PrimaryKeyConstraint.initially": (lambda: primary(initially="DEFERRED"), "INITIALLY DEFERRED"),
    "ExcludeConstraint.using": (lambda: exclude(using="btree"), "EXCLUDE USING btree"),
    "ExcludeConstraint.where": (lambda: exclude(where=sa.text("a > 0")), r"WHERE \(a > 0\)"),
    "ExcludeConstraint.ops": (lambda: exclude(ops={"a": "int4_ops"}), "a int4_ops WITH ="),
    "ExcludeConstraint.deferrable": (lambda: exclude(deferrable=True), "DEFERRABLE"),
    "ExcludeConstraint.initially": (lambda: exclude(initially="DEFERRED"), "INITIALLY DEFERRED"),
    "Identity.always": (lambda: identity(always=True), "GENERATED ALWAYS AS IDENTITY"),
    "Identity.cache": (lambda: identity(cache=7), "CACHE 7"),
    "Identity.nominvalue": (lambda: identity(nominvalue=True), "NO MINVALUE"),
    "Identity.nomaxvalue": (lambda: identity(nomaxvalue=True), "NO MAXVALUE"),
    "Identity.start": (lambda: identity(start=7), "START WITH 7"),
    "Identity.increment": (lambda: identity(increment=7), "INCREMENT BY 7"),
    "Identity.minvalue": (lambda: identity(minvalue=7), "MINVALUE 7"),
    "Identity.maxvalue": (lambda: identity(maxvalue=7), "MAXVALUE 7"),
    "Identity.cycle": (lambda: identity(cycle=True), "CYCLE"),
    "Computed.sqltext": (lambda: u(a(sa.Computed(sa.text("b + 1")))), r"AS \(b \+ 1\)"),
    "Computed.persisted": (lambda: u(a(sa.Computed("b + 1", persisted=True))), r"AS \(b \+ 1\) STORED"),
}
if "postgresql_with" in {f"postgresql_{each}" for each in dict(postgresql.dialect.construct_arguments)[sa.Table]}:
    # SQLAlchemy 2.1 has it.
    MADE["Table.postgresql_with"] = (lambda: u(postgresql_with={"fillfactor": 70}), r"WITH \(fillfactor = 70\)")

REFUSED: dict[str, Callable[[], None]] = {
    "Column.key": lambda: u(a(key="b")),
    "Column.system": lambda: ops.add_column("t", a(system=True)),
    "Column.quote": lambda: ops.drop_column("t", a(quote=False)),
    "Table.schema": lambda: u(schema="audit"),
    "Table.quote": lambda: u(quote=False),
    "Table.quote_schema": lambda: u(quote_schema=True),
    "Table.autoload_with": lambda: u(autoload_with=sa.create_mock_engine("sqlite://", print)),
    "Table.autoload_replace": lambda: u(autoload_replace=True),
    "Table.keep_existing": lambda: u(keep_existing=True),
    "Table.extend_existing": lambda: u(extend_existing=True),
    "Table.resolve_fks": lambda: u(resolve_fks=True),
    "Table.include_columns": lambda: u(include_columns=["a"]),
    "Table.listeners": lambda: u(listeners=[("after_create", print)]),
    "Table.prefixes": lambda: u(prefixes=["TEMPORARY"]),
    "Table.postgresql_on_commit": lambda: u(postgresql_on_commit="DROP"),
    "Table.postgresql_with_oids": lambda: u(postgresql_with_oids=True),
    "Index.quote": lambda: index(quote=False),
    "Index.schema": lambda: index(schema="audit"),
    "Index.if_not_exists": lambda: index(if_not_exists=True),
    "Index.postgresql_invalid": lambda: index(postgresql_invalid=True),
    "CheckConstraint.deferrable": lambda: ops.drop_constraint("t", sa.CheckConstraint("a", name="x", deferrable=True)),
    "CheckConstraint.initially": lambda: u(sa.CheckConstraint("a > 0", name="x", initially="DEFERRED")),
    "CheckConstraint.sqlite_on_conflict": lambda: check(sqlite_on_conflict="FAIL"),
    "ForeignKeyConstraint.link_to_name": lambda: key(link_to_name=True),
    "ForeignKeyConstraint.match": lambda: key(match="PARTIAL"),
    "ForeignKeyConstraint.sqlite_on_conflict": lambda: key(sqlite_on_conflict="FAIL"),
    "ForeignKey.link_to_name": lambda: inline(link_to_name=True),
    "ForeignKey.sqlite_on_conflict": lambda: inline(sqlite_on_conflict="FAIL"),
    "Identity.on_null": lambda: identity(on_null=True),
    "Identity.order": lambda: identity(order=True),
    "Sequence.name": lambda: u(a(sa.Sequence("s"))),
    "Table.postgres_inherits": lambda: u(postgres_inherits="t"),
    "UniqueConstraint.if_not_exists": lambda: unique(if_not_exists=True),
}
