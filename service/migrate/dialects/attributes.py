"""What else may be on a table or a column, in the words of PostgreSQL's and SQLite's manuals."""

from enum import StrEnum
from typing import NamedTuple


class Attribute(StrEnum):
    """A property of a table or a column, or a kind of object that belongs to one."""

    # Who reads and writes.
    OWNER = "owner"
    OTHER_OWNER = "owned by another role"
    UNREADABLE = "no SELECT privilege"
    UNREFERABLE = "no REFERENCES privilege"
    TABLE_GRANT = "privileges on the table"
    COLUMN_GRANT = "privileges on a column"
    ROW_SECURITY = "row security"
    HIDDEN_ROWS = "row security that hides rows from the migrating role"
    POLICY = "policy"
    SECURITY_LABEL = "security label"
    # What happens on a write.
    BEFORE_ROW_TRIGGER = "BEFORE ROW trigger"
    AFTER_ROW_TRIGGER = "AFTER ROW trigger"
    STATEMENT_TRIGGER = "STATEMENT trigger"
    INSTEAD_OF_TRIGGER = "INSTEAD OF trigger"
    CONSTRAINT_TRIGGER = "constraint trigger"
    DISABLED_TRIGGER = "disabled trigger"
    REPLICA_TRIGGER = "ENABLE REPLICA trigger"
    ALWAYS_TRIGGER = "ENABLE ALWAYS trigger"
    RULE = "rule"
    # Where a value comes from.
    DEFAULT = "default"
    NOT_NULL = "NOT NULL with a name, a comment or an option of its own"
    NOT_NULL_NOT_VALID = "NOT NULL NOT VALID"
    OWNED_SEQUENCE = "owned sequence"
    SHARED_SEQUENCE = "sequence shared with other columns"
    IDENTITY = "identity"
    GENERATED = "generated column"
    PRIMARY_KEY = "column of the primary key"
    ROWID = "alias of the rowid"
    AUTOINCREMENT = "AUTOINCREMENT"
    # How a value is stored and compared.
    COLLATION = "collation"
    STORAGE = "storage"
    COMPRESSION = "compression"
    STATISTICS_TARGET = "statistics target"
    COLUMN_OPTIONS = "column options"
    EXTENDED_STATISTICS = "extended statistics"
    TABLE_COMMENT = "comment on the table"
    COLUMN_COMMENT = "comment on a column"
    OBJECT_COMMENT = "comment on an index, a constraint or a trigger"
    # Where the table is, and how its rows are kept.
    TABLE_OPTIONS = "storage parameters"
    TABLESPACE = "tablespace"
    ACCESS_METHOD = "access method"
    CLUSTERED = "CLUSTER"
    REPLICA_IDENTITY = "replica identity"
    UNIDENTIFIED_ROWS = "published without a replica identity"
    PUBLICATION = "publication"
    SUBSCRIPTION = "subscription"
    # Kinds of tables.
    UNLOGGED = "unlogged table"
    TEMPORARY = "temporary table"
    PARTITIONED = "partitioned table"
    PARTITION_KEY = "column of the partition key"
    PARTITION = "partition"
    INHERITANCE_PARENT = "table with children by inheritance"
    INHERITANCE_CHILD = "child by inheritance"
    INHERITED_COLUMN = "inherited column"
    FOREIGN_TABLE = "foreign table"
    TYPED_TABLE = "typed table"
    ROW_TYPE = "uses of the row type"
    EXTENSION_MEMBER = "member of an extension"
    VIEW = "view"
    STRICT = "STRICT"
    WITHOUT_ROWID = "WITHOUT ROWID"
    VIRTUAL_TABLE = "virtual table"
    HIDDEN_COLUMN = "hidden column"
    # What no version of this program knows.
    UNKNOWN_RELATION = "unknown kind of relation"
    UNKNOWN_DEPENDENT = "unknown kind of dependent"


class Found(NamedTuple):
    """One attribute of a table, or of `column`: the name of the object or role, and its whole definition."""

    attribute: Attribute
    column: str | None
    name: str
    definition: str
