"""Column types with literals of their values, for random tables."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Kind:
    """A type as SQL, as source of a revision, and literals that the type holds."""

    sql: str
    source: str
    values: tuple[str, ...]

    @property
    def is_text(self) -> bool:
        return self.sql.lower().startswith(("text", "varchar")) and "[" not in self.sql

    @property
    def is_number(self) -> bool:
        return self.sql.lower() in ("integer", "bigint")


def _other(name: str) -> str:
    """The source of a type that SQLAlchemy does not know."""
    return f'type("Other", (sa.types.UserDefinedType,), {{"get_col_spec": lambda self, **_: "{name}"}})()'


_NUMBERS = ("0", "-1", "7", "41", "2147483647")
_TEXTS = ("''", "'a'", "'A'", "'a '", "'ä ß 字'", "'O''Neil'", "'100% :x'", "'0'")
# What must exist before a table is created with one of these types.
POSTGRESQL_TYPES = (
    "CREATE TYPE mood AS ENUM ('sad', 'ok')",
    "CREATE DOMAIN short AS text CHECK (length(VALUE) < 20)",
)
_POSTGRESQL = (
    Kind("integer", "sa.Integer()", _NUMBERS),
    Kind("bigint", "sa.BigInteger()", _NUMBERS),
    Kind("text", "sa.Text()", (*_TEXTS, "repeat('x', 3000)")),
    Kind("text", "sa.Text()", _TEXTS),
    Kind("varchar(20)", "sa.String(20)", _TEXTS),
    Kind("numeric", "sa.Numeric()", ("1.0", "1.00", "0", "'NaN'", "12345678901234567890.000001")),
    Kind("numeric(8,2)", "sa.Numeric(8, 2)", ("1.5", "0", "-999999.99")),
    Kind("double precision", "sa.Double()", ("0", "'-0'", "'NaN'", "1.5", "'Infinity'")),
    Kind("boolean", "sa.Boolean()", ("true", "false")),
    Kind("timestamptz", "sa.DateTime(timezone=True)", ("'2020-02-29 12:00+02'", "'infinity'", "'0001-01-01'")),
    Kind("date", "sa.Date()", ("'2020-02-29'", "'0044-03-15 BC'")),
    Kind("uuid", "sa.Uuid()", ("'00000000-0000-0000-0000-000000000001'", "'ffffffff-ffff-ffff-ffff-ffffffffffff'")),
    Kind("json", "sa.JSON()", ("'{}'", "'{ }'", "'[1, 2]'", "'null'", """'{"a": 1, "a": 2}'""")),
    Kind("jsonb", "pg.JSONB()", ("'{}'", "'[1.0]'", "'[1.00]'", "'null'")),
    Kind("bytea", "sa.LargeBinary()", (r"'\x00'", r"'\x'", r"'\xff00'")),
    Kind("text[]", "pg.ARRAY(sa.Text())", ("'{}'", "'{a,NULL}'", "'[0:1]={a,b}'")),
    Kind("json[]", "pg.ARRAY(sa.JSON())", ("""ARRAY['{"a": 1}'::json]""", "'{}'")),
    Kind("point", _other("POINT"), ("'(1,2)'", "'(0,-0)'")),
    Kind("inet", "pg.INET()", ("'10.0.0.1'", "'10.0.0.1/8'")),
    Kind("int4range", "pg.INT4RANGE()", ("'[1,3)'", "'empty'")),
    Kind("interval", "sa.Interval()", ("'1 day'", "'24 hours'")),
    Kind("mood", 'pg.ENUM("sad", "ok", name="mood", create_type=False)', ("'sad'", "'ok'")),
    Kind("short", 'pg.DOMAIN("short", sa.Text(), create_type=False)', _TEXTS),
)
_SQLITE = (
    Kind("INTEGER", "sa.Integer()", (*_NUMBERS, "'x'", "1.5")),
    Kind("BIGINT", "sa.BigInteger()", (*_NUMBERS, "9223372036854775807")),
    Kind("TEXT", "sa.Text()", (*_TEXTS, "x'00ff'", "1")),
    Kind("VARCHAR(20)", "sa.String(20)", _TEXTS),
    Kind("TEXT COLLATE NOCASE", 'sa.Text(collation="NOCASE")', _TEXTS),
    Kind("TEXT COLLATE RTRIM", 'sa.Text(collation="RTRIM")', _TEXTS),
    Kind("NUMERIC", "sa.Numeric()", ("1", "1.5", "'1.0'", "'x'", "1e300")),
    Kind("DOUBLE", "sa.Double()", ("0", "-0.0", "1.5", "'x'", "9e999")),
    Kind("BLOB", "sa.LargeBinary()", ("x''", "x'00'", "'text'", "1")),
    Kind("BOOLEAN", "sa.Boolean()", ("0", "1")),
    Kind("DATETIME", "sa.DateTime()", ("'2020-02-29 12:00:00.000000'", "0")),
    Kind("JSON", "sa.JSON()", ("'{}'", "'null'", "'[1.0]'")),
)
KINDS = {"postgresql": _POSTGRESQL, "sqlite": _SQLITE}
