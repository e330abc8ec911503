"""The inventory finds everything that may be on a table, and what it does not know as well."""

from sqlalchemy import Connection, make_url

from service.db.engine import Purpose
from service.db.engine import create_engine as create_async_engine
from service.migrate.dialects.attributes import Attribute
from service.migrate.dialects.inventory import inventory
from tests.alembic.store import opened
from tests.migrate.memory import in_memory

POSTGRESQL = """
CREATE TABLE t (id int PRIMARY KEY, number serial, a text COLLATE "C", i int GENERATED ALWAYS AS IDENTITY,
                g int GENERATED ALWAYS AS (id + 1) STORED) WITH (fillfactor = 70);
CREATE TABLE taker (n int DEFAULT nextval('t_number_seq'), r t);
ALTER TABLE t ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY, REPLICA IDENTITY FULL;
CREATE POLICY seen ON t USING (id > 1);
CREATE FUNCTION nothing() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NEW; END $$;
CREATE TRIGGER before_row BEFORE UPDATE ON t FOR EACH ROW EXECUTE FUNCTION nothing();
CREATE TRIGGER after_row AFTER UPDATE ON t FOR EACH ROW EXECUTE FUNCTION nothing();
CREATE TRIGGER statement AFTER UPDATE ON t FOR EACH STATEMENT EXECUTE FUNCTION nothing();
CREATE CONSTRAINT TRIGGER late AFTER UPDATE ON t DEFERRABLE FOR EACH ROW EXECUTE FUNCTION nothing();
ALTER TABLE t DISABLE TRIGGER statement, ENABLE REPLICA TRIGGER after_row, ENABLE ALWAYS TRIGGER before_row;
GRANT SELECT ON t TO {reader} WITH GRANT OPTION;
GRANT UPDATE (a) ON t TO PUBLIC;
ALTER TABLE t ALTER a SET STORAGE EXTERNAL, ALTER a SET COMPRESSION pglz, ALTER a SET STATISTICS 500,
              ALTER a SET (n_distinct = 3);
CREATE STATISTICS together ON id, a FROM t;
COMMENT ON TABLE t IS 'a table'; COMMENT ON COLUMN t.a IS 'a column'; COMMENT ON CONSTRAINT t_pkey ON t IS 'a key';
CREATE RULE logged AS ON DELETE TO t DO ALSO SELECT 1;
CREATE PUBLICATION few FOR TABLE t (id, a) WHERE (id > 3);
CLUSTER t USING t_pkey;
CREATE UNLOGGED TABLE u (id int);
CREATE TABLE parts (id int, k int, v text) PARTITION BY RANGE (k, (id + 1));
CREATE TABLE part PARTITION OF parts DEFAULT;
CREATE TABLE parent (id int);
CREATE TABLE child () INHERITS (parent);
CREATE TYPE kind AS (a int);
CREATE TABLE typed OF kind;
CREATE VIEW shown AS SELECT id FROM t;
CREATE TRIGGER instead INSTEAD OF UPDATE ON shown FOR EACH ROW EXECUTE FUNCTION nothing();
CREATE TABLE unidentified (id int);
CREATE PUBLICATION whole FOR TABLE unidentified;
CREATE FOREIGN DATA WRAPPER nowhere;
CREATE SERVER far FOREIGN DATA WRAPPER nowhere;
CREATE FOREIGN TABLE away (id int) SERVER far;
CREATE TABLE locked (id int); ALTER TABLE locked OWNER TO {owner};
CREATE TABLE filtered (id int); ALTER TABLE filtered OWNER TO {reader}; ALTER TABLE filtered ENABLE ROW LEVEL SECURITY;
ALTER TABLE filtered FORCE ROW LEVEL SECURITY;
CREATE TABLE strange (id int);
SET allow_system_table_mods = on;
INSERT INTO pg_seclabel VALUES ('t'::regclass, 'pg_class'::regclass, 3, 'guard', 'secret');
INSERT INTO pg_depend VALUES ('pg_language'::regclass, (SELECT oid FROM pg_language WHERE lanname = 'sql'), 0,
                              'pg_class'::regclass, 'strange'::regclass, 0, 'n');
INSERT INTO pg_depend VALUES ('pg_class'::regclass, 'strange'::regclass, 0, 'pg_extension'::regclass,
                              (SELECT oid FROM pg_extension LIMIT 1), 0, 'e');
INSERT INTO pg_subscription_rel VALUES (0, 'strange'::regclass, 'r', NULL);
INSERT INTO pg_am SELECT 60000, 'own', amhandler, amtype FROM pg_am WHERE amname = 'heap';
UPDATE pg_class SET relam = 60000 WHERE oid = 'unidentified'::regclass;
UPDATE pg_class SET reltablespace = 1663 WHERE relname = 'unidentified'
"""
SQLITE = (
    "CREATE TABLE T (id INTEGER PRIMARY KEY AUTOINCREMENT, a TEXT COLLATE NOCASE DEFAULT '', g INT AS (id + 1)) STRICT",
    "CREATE TABLE w (k TEXT PRIMARY KEY, i INTEGER) WITHOUT ROWID",
    "CREATE TABLE plain (id INTEGER PRIMARY KEY)",
    "CREATE VIEW v AS SELECT * FROM t",
    "CREATE TRIGGER tb BEFORE UPDATE ON t BEGIN SELECT 1; END",
    "CREATE TRIGGER ta AFTER DELETE ON t BEGIN SELECT 1; END",
    "CREATE TRIGGER tv INSTEAD OF UPDATE ON v BEGIN SELECT 1; END",
    "CREATE VIRTUAL TABLE f USING fts5(a)",
    "CREATE TABLE x (a)",
    "CREATE TEMP TABLE x (a)",
)
IS = Attribute
ON_POSTGRESQL: dict[str, set[tuple[Attribute, str | None, str]]] = {
    "t": {
        (IS.BEFORE_ROW_TRIGGER, None, "before_row"),
        (IS.AFTER_ROW_TRIGGER, None, "after_row"),
        (IS.STATEMENT_TRIGGER, None, "statement"),
        (IS.CONSTRAINT_TRIGGER, None, "late"),
        (IS.DISABLED_TRIGGER, None, "statement"),
        (IS.REPLICA_TRIGGER, None, "after_row"),
        (IS.ALWAYS_TRIGGER, None, "before_row"),
        (IS.ROW_SECURITY, None, "t"),
        (IS.POLICY, None, "seen"),
        (IS.TABLE_GRANT, None, "{reader}"),
        (IS.COLUMN_GRANT, "a", "PUBLIC"),
        (IS.SECURITY_LABEL, "a", "guard"),
        (IS.RULE, None, "logged"),
        (IS.DEFAULT, "number", "number"),
        (IS.OWNED_SEQUENCE, "number", "t_number_seq"),
        (IS.SHARED_SEQUENCE, "number", "t_number_seq"),
        (IS.IDENTITY, "i", "i"),
        (IS.GENERATED, "g", "g"),
        (IS.PRIMARY_KEY, "id", "id"),
        (IS.COLLATION, "a", "a"),
        (IS.STORAGE, "a", "a"),
        (IS.COMPRESSION, "a", "a"),
        (IS.STATISTICS_TARGET, "a", "a"),
        (IS.COLUMN_OPTIONS, "a", "a"),
        (IS.EXTENDED_STATISTICS, "a", "together"),
        (IS.EXTENDED_STATISTICS, "id", "together"),
        (IS.TABLE_COMMENT, None, "t"),
        (IS.COLUMN_COMMENT, "a", "a"),
        (IS.OBJECT_COMMENT, None, "constraint t_pkey on table t"),
        (IS.TABLE_OPTIONS, None, "t"),
        (IS.CLUSTERED, None, "t_pkey"),
        (IS.REPLICA_IDENTITY, None, "t"),
        (IS.PUBLICATION, None, "few"),
        (IS.ROW_TYPE, None, "column r of table taker"),
    },
    "u": {(IS.UNLOGGED, None, "u")},
    "parts": {(IS.PARTITIONED, None, "parts"), (IS.PARTITION_KEY, "id", "id"), (IS.PARTITION_KEY, "k", "k")},
    "part": {(IS.PARTITION, None, "parts"), *((IS.INHERITED_COLUMN, each, each) for each in ("id", "k", "v"))},
    "parent": {(IS.INHERITANCE_PARENT, None, "child")},
    "child": {(IS.INHERITANCE_CHILD, None, "parent"), (IS.INHERITED_COLUMN, "id", "id")},
    "typed": {(IS.TYPED_TABLE, None, "typed")},
    "shown": {(IS.VIEW, None, "shown"), (IS.INSTEAD_OF_TRIGGER, None, "instead")},
    "unidentified": {
        (IS.PUBLICATION, None, "whole"),
        (IS.UNIDENTIFIED_ROWS, None, "whole"),
        (IS.ACCESS_METHOD, None, "own"),
        (IS.TABLESPACE, None, "pg_default"),
    },
    "away": {(IS.FOREIGN_TABLE, None, "away")},
    "strange": {
        (IS.UNKNOWN_DEPENDENT, None, "language sql"),
        (IS.EXTENSION_MEMBER, None, "plpgsql"),
        (IS.SUBSCRIPTION, None, ""),
        (IS.OBJECT_COMMENT, None, "language sql"),
    },
    "scratch": {(IS.TEMPORARY, None, "scratch")},
    "t_number_seq": {(IS.UNKNOWN_RELATION, None, "t_number_seq")},
    "missing": set(),
}
ON_SQLITE: dict[str, set[tuple[Attribute, str | None, str]]] = {
    "t": {
        (IS.STRICT, None, "T"),
        (IS.AUTOINCREMENT, "id", "id"),
        (IS.PRIMARY_KEY, "id", "id"),
        (IS.COLLATION, "a", "a"),
        (IS.DEFAULT, "a", "a"),
        (IS.GENERATED, "g", "g"),
        (IS.BEFORE_ROW_TRIGGER, None, "tb"),
        (IS.AFTER_ROW_TRIGGER, None, "ta"),
    },
    "w": {(IS.WITHOUT_ROWID, None, "w"), (IS.PRIMARY_KEY, "k", "k")},
    "plain": {(IS.ROWID, "id", "id"), (IS.PRIMARY_KEY, "id", "id")},
    "v": {(IS.VIEW, None, "v"), (IS.INSTEAD_OF_TRIGGER, None, "tv")},
    "f": {(IS.VIRTUAL_TABLE, None, "f"), (IS.HIDDEN_COLUMN, "f", "f"), (IS.HIDDEN_COLUMN, "rank", "rank")},
    "f_data": {(IS.VIRTUAL_TABLE, None, "f_data"), (IS.PRIMARY_KEY, "id", "id")},
    "x": {(IS.TEMPORARY, None, "x")},
    "missing": set(),
}
# Older versions have no constraints of NOT NULL.
POSTGRESQL_18 = """
CREATE TABLE required (a int CONSTRAINT told NOT NULL, b int);
ALTER TABLE required ADD CONSTRAINT later NOT NULL b NOT VALID
"""
ON_POSTGRESQL_18: dict[str, set[tuple[Attribute, str | None, str]]] = {
    "required": {(IS.NOT_NULL, "a", "told"), (IS.NOT_NULL, "b", "later"), (IS.NOT_NULL_NOT_VALID, "b", "later")}
}


def found(connection: Connection, table: str) -> set[tuple[Attribute, str | None, str]]:
    return {(each.attribute, each.column, each.name) for each in inventory(connection, table)}


def test_on_sqlite() -> None:
    with in_memory() as connection:
        for statement in SQLITE:
            connection.exec_driver_sql(statement)
        assert {table: found(connection, table) for table in ON_SQLITE} == ON_SQLITE


async def test_on_postgresql(empty_postgres_url: str) -> None:
    name = make_url(empty_postgres_url).database
    roles = {"reader": f"reader_{name}", "owner": f"owner_{name}"}
    async with opened(empty_postgres_url) as store:
        await store.connection.execute("".join(f"CREATE ROLE {role};" for role in roles.values()))
        try:
            await store.connection.execute(POSTGRESQL.format(**roles))
            if store.connection.get_server_version().major >= 18:
                await store.connection.execute(POSTGRESQL_18)
            engine = create_async_engine(empty_postgres_url, Purpose.MIGRATE)
            async with engine.connect() as connection:
                await connection.run_sync(look, roles)
            await engine.dispose()
        finally:
            await store.connection.execute(
                "".join(f"DROP OWNED BY {role}; DROP ROLE {role};" for role in roles.values())
            )


def look(connection: Connection, roles: dict[str, str]) -> None:
    connection.exec_driver_sql("CREATE TEMPORARY TABLE scratch (id int)")
    is_18 = (connection.dialect.server_version_info or (0,)) >= (18,)
    expected = {
        table: {(attribute, column, name.format(**roles)) for attribute, column, name in lines}
        for table, lines in (ON_POSTGRESQL | (ON_POSTGRESQL_18 if is_18 else {})).items()
    }
    # The owner, and the owner's privileges where others were granted some, are asked below.
    owner = connection.exec_driver_sql("SELECT current_user").scalar_one()
    seen = {table: {each for each in found(connection, table) if each[2] != owner} for table in expected}
    assert {table: seen[table] ^ expected[table] for table in expected if seen[table] != expected[table]} == {}
    connection.exec_driver_sql(f"SET ROLE {roles['reader']}")
    assert found(connection, "locked") == {
        (IS.OWNER, None, roles["owner"]),
        (IS.OTHER_OWNER, None, roles["owner"]),
        (IS.UNREADABLE, None, roles["reader"]),
        (IS.UNREFERABLE, None, roles["reader"]),
    }
    assert found(connection, "filtered") == {
        (IS.OWNER, None, roles["reader"]),
        (IS.ROW_SECURITY, None, "filtered"),
        (IS.HIDDEN_ROWS, None, "filtered"),
    }


def test_every_attribute_is_found_somewhere() -> None:
    everywhere = {
        line[0]
        for lines in (*ON_POSTGRESQL.values(), *ON_POSTGRESQL_18.values(), *ON_SQLITE.values())
        for line in lines
    }
    assert set(Attribute) - everywhere == {IS.OWNER, IS.OTHER_OWNER, IS.UNREADABLE, IS.UNREFERABLE, IS.HIDDEN_ROWS}
