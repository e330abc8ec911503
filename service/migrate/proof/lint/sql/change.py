"""One change that an SQL statement makes, with the columns and constraints that the statement declares."""

from dataclasses import dataclass, field
from enum import StrEnum

# A name that SQL builds at run time, of which the text tells nothing.
UNKNOWN = "…"


class Kind(StrEnum):
    """What a statement, or one action of an ALTER TABLE, does."""

    CREATE_TABLE = "CREATE TABLE"
    DROP_TABLE = "DROP TABLE"
    RENAME_TABLE = "RENAME TABLE"
    TRUNCATE = "TRUNCATE"
    ADD_COLUMN = "ADD COLUMN"
    DROP_COLUMN = "DROP COLUMN"
    RENAME_COLUMN = "RENAME COLUMN"
    CHANGE_TYPE = "ALTER COLUMN TYPE"
    SET_NOT_NULL = "SET NOT NULL"
    DROP_NOT_NULL = "DROP NOT NULL"
    SET_DEFAULT = "SET DEFAULT"
    DROP_DEFAULT = "DROP DEFAULT"
    SET_EXPRESSION = "SET EXPRESSION"
    ADD_IDENTITY = "ADD GENERATED AS IDENTITY"
    DROP_IDENTITY = "DROP IDENTITY"
    ADD_CONSTRAINT = "ADD CONSTRAINT"
    DROP_CONSTRAINT = "DROP CONSTRAINT"
    VALIDATE_CONSTRAINT = "VALIDATE CONSTRAINT"
    ALTER_CONSTRAINT = "ALTER CONSTRAINT"
    RENAME_OTHER = "RENAME"
    ATTACH_PARTITION = "ATTACH PARTITION"
    DETACH_PARTITION = "DETACH PARTITION"
    SET_LOGGED = "SET LOGGED or UNLOGGED"
    SET_TABLESPACE = "SET TABLESPACE"
    SET_ACCESS_METHOD = "SET ACCESS METHOD"
    SET_SCHEMA = "SET SCHEMA"
    ROW_SECURITY = "ROW LEVEL SECURITY"
    SWITCH_TRIGGER = "ENABLE or DISABLE TRIGGER"
    ALTER_OTHER = "ALTER TABLE"
    CREATE_INDEX = "CREATE INDEX"
    DROP_INDEX = "DROP INDEX"
    REINDEX = "REINDEX"
    CREATE_TRIGGER = "CREATE TRIGGER"
    DROP_TRIGGER = "DROP TRIGGER"
    CREATE_FUNCTION = "CREATE FUNCTION"
    DROP_FUNCTION = "DROP FUNCTION"
    CREATE_VIEW = "CREATE VIEW"
    DROP_VIEW = "DROP VIEW"
    DROP_TYPE = "DROP TYPE"
    REFRESH = "REFRESH MATERIALIZED VIEW"
    CREATE_ENUM = "CREATE TYPE AS ENUM"
    ADD_ENUM_VALUE = "ALTER TYPE ADD VALUE"
    RENAME_ENUM_VALUE = "ALTER TYPE RENAME VALUE"
    CREATE_DOMAIN = "CREATE DOMAIN"
    ALTER_DOMAIN = "ALTER DOMAIN"
    CREATE_POLICY = "CREATE POLICY"
    DROP_POLICY = "DROP POLICY"
    CREATE_PUBLICATION = "CREATE PUBLICATION"
    GRANT = "GRANT"
    REVOKE = "REVOKE"
    DROP_WHOLE = "DROP SCHEMA, DATABASE or OWNED"
    RENAME_SCHEMA = "ALTER SCHEMA RENAME"
    CREATE_SEQUENCE = "CREATE SEQUENCE"
    ALTER_SEQUENCE = "ALTER SEQUENCE"
    DROP_SEQUENCE = "DROP SEQUENCE"
    DROP_EXTENSION = "DROP EXTENSION"
    RESTART = "RESTART"
    CREATE_RULE = "CREATE RULE"
    ALTER_PUBLICATION = "ALTER PUBLICATION"
    DROP_PUBLICATION = "DROP PUBLICATION"
    COMMENT = "COMMENT"
    CHANGE_OWNER = "OWNER TO"
    REPLICA_IDENTITY = "REPLICA IDENTITY"
    CLUSTER = "CLUSTER"
    VACUUM = "VACUUM"
    LOCK = "LOCK TABLE"
    UPDATE = "UPDATE"
    DELETE = "DELETE"
    INSERT = "INSERT"
    SELECT = "SELECT"
    CALL = "CALL"
    COPY = "COPY"
    ANALYZE = "ANALYZE"
    OPAQUE = "SQL that cannot be read"
    TRANSACTION = "BEGIN, COMMIT or ROLLBACK"
    SET = "SET"
    PRAGMA = "PRAGMA"
    OTHER = "other"


@dataclass(frozen=True, slots=True, kw_only=True)
class Constraint:
    """A constraint; `kind` is check, unique, primary key, foreign key, exclude or not null."""

    kind: str
    name: str = ""
    columns: tuple[str, ...] = ()
    referred: str = ""
    expression: str = ""
    index: str = ""
    is_valid: bool = True
    # Of a foreign key: ON DELETE CASCADE, DEFERRABLE.
    options: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """A column; `type` as `sql.types` spells it, `generated` is stored, virtual or empty."""

    name: str
    type: str = ""
    is_nullable: bool = True
    default: str | None = None
    generated: str = ""
    is_identity: bool = False
    collation: str = ""
    constraints: tuple[Constraint, ...] = ()

    def has(self, kind: str) -> bool:
        return any(each.kind == kind for each in self.constraints)


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """A change; `words` are the keywords of the statement that rules ask for, such as concurrently or cascade.

    `to` is a new name, the referred table or a value; `text` is the statement or the expression as written.
    """

    kind: Kind
    table: str = ""
    name: str = ""
    to: str = ""
    text: str = ""
    words: frozenset[str] = frozenset()
    columns: tuple[Column, ...] = ()
    names: tuple[str, ...] = ()
    constraints: tuple[Constraint, ...] = ()
    inner: "tuple[Change, ...]" = field(default=())

    @property
    def column(self) -> Column:
        """The one column that the change declares."""
        return self.columns[0]

    @property
    def constraint(self) -> Constraint:
        """The one constraint that the change declares."""
        return self.constraints[0]
