"""As `bad`, for the running version, what is on the table, SQLite, the history and values."""

from tests.migrate.proof.lint.bad import NEW, Case, both, run

ADD = "op.add_column('books', sa.Column('n', sa.Integer()))"
LONG = "n" * 64


def noted(column: str) -> str:
    """The function of the trigger of books, with another column."""
    text = f"BEGIN NEW.{column} := NEW.title; RETURN NEW; END"
    return run(f"CREATE OR REPLACE FUNCTION noted() RETURNS trigger LANGUAGE plpgsql AS $${text}$$")


CASES: dict[str, Case] = {
    "drops-used-column": Case(
        "op.drop_column('books', 'price')",
        "pass",
        good_contract="ops.drop_column('books', sa.Column('shelf_id', sa.Integer()))",
    ),
    "drops-used-table": Case(
        "op.drop_table('books')",
        "pass",
        good_contract="ops.drop_table('shelves', sa.Column('id', sa.Integer(), primary_key=True))",
    ),
    "renames-used-column": Case(
        "op.alter_column('books', 'price', new_column_name='cost')",
        "ops.rename_column('books', sa.Column('price', sa.Numeric(8, 2)), sa.Column('cost', sa.Numeric(8, 2)))",
    ),
    "renames-used-table": Case(
        "op.rename_table('shelves', 'racks')", "ops.rename_table('shelves', 'racks', ['id', 'label'])"
    ),
    "moves-used-table": Case(
        run("ALTER TABLE books SET SCHEMA archive"), NEW + run("ALTER TABLE fresh SET SCHEMA archive")
    ),
    "requires-unknown-column": Case(
        "op.add_column('books', sa.Column('n', sa.Integer(), nullable=False))",
        "ops.add_column('books', sa.Column('n', sa.Integer(), nullable=False, server_default='1'))",
    ),
    "requires-value": Case("ops.set_not_null('books', 'price')", "ops.set_not_null('books', 'price', fill='0')"),
    "drops-used-default": Case(
        "ops.set_default('books', 'kind', None, was=\"'novel'\")",
        "pass",
        good_contract="ops.set_default('books', 'kind', None, was=\"'novel'\")",
    ),
    "changes-python-type": Case(
        "ops.change_type('books', sa.Column('price', sa.Numeric(8, 2)), sa.Column('price', sa.Text()))",
        "ops.change_type('books', sa.Column('price', sa.Numeric(8, 2)), sa.Column('price', sa.Numeric(9, 2)))",
    ),
    "invalidates-cached-plans": Case(
        "op.alter_column('books', 'title', type_=sa.Text())",
        "ops.change_type('books', sa.Column('title', sa.String(50)), sa.Column('title', sa.Text()))",
    ),
    "adds-enum-value": Case(run("ALTER TYPE mood ADD VALUE 'glad'"), run("ALTER TYPE mood OWNER TO someone")),
    "renames-enum-value": Case(
        run("ALTER TYPE mood RENAME VALUE 'sad' TO 'blue'"), run("ALTER TYPE mood OWNER TO someone")
    ),
    "native-enum": Case(
        run("CREATE TYPE mood AS ENUM ('sad', 'glad')"),
        "ops.add_column('books', sa.Column('mood', sa.Enum('sad', 'glad', native_enum=False)))",
    ),
    "json-without-equality": Case(
        "ops.add_column('books', sa.Column('n', sa.JSON()))",
        "ops.add_column('books', sa.Column('n', sa.dialects.postgresql.JSONB().with_variant(sa.JSON(), 'sqlite')))",
    ),
    "drops-used-object": Case(
        run("DROP TRIGGER books_noted ON books"),
        run("DROP TRIGGER books_noted ON books; CREATE TRIGGER books_noted AFTER INSERT ON books EXECUTE FUNCTION f()"),
    ),
    "narrows-type": Case(
        "op.alter_column('books', 'title', type_=sa.String(20))",
        "ops.change_type('books', sa.Column('title', sa.String(50)), sa.Column('title', sa.String(60)))",
    ),
    "fails-on-duplicates": Case(
        "with op.get_context().autocommit_block():\n"
        "    op.create_index('ix', 'books', ['title'], unique=True, postgresql_concurrently=True)",
        "ops.create_index('ix', 'books', ['title'], unique=True)",
    ),
    "drops-constraint": Case(
        "op.drop_constraint('ck_books_kind', 'books')",
        "pass",
        good_contract="ops.drop_constraint('books', sa.CheckConstraint(\"kind = 'a'\", name='ck_books_kind'))",
    ),
    "drops-used-index": Case(
        "op.drop_index('ix_books_kind_price', 'books')",
        "pass",
        good_contract="ops.drop_index('ix_books_kind_price', 'books', ['kind', 'price'])",
    ),
    "recreates-object": Case(
        run("DROP VIEW titles; CREATE VIEW titles AS SELECT id FROM books"),
        run("CREATE OR REPLACE VIEW titles AS SELECT id, title FROM books"),
    ),
    "truncates-table": Case(run("TRUNCATE books"), NEW + run("TRUNCATE fresh")),
    "drops-everything": Case(run("DROP SCHEMA archive"), run("CREATE SCHEMA archive")),
    "text-names-column": Case(
        "op.drop_column('books', 'note')",
        "ops.rename_column('books', sa.Column('price', sa.Numeric(8, 2)), sa.Column('cost', sa.Numeric(8, 2)))",
    ),
    "drops-index-with-column": Case(
        "op.drop_column('books', 'price')",
        "pass",
        good_contract="ops.drop_index('ix_books_kind_price', 'books', ['kind', 'price'])\n"
        "ops.drop_column('books', sa.Column('price', sa.Numeric(8, 2)))",
    ),
    "cascades": Case(run("DROP VIEW v CASCADE"), run("DROP VIEW v")),
    "disables-triggers": Case(
        run("ALTER TABLE books DISABLE TRIGGER ALL"), run("ALTER TABLE books ENABLE TRIGGER ALL")
    ),
    "replica-role": Case(run("SET LOCAL session_replication_role = replica"), run("SET LOCAL work_mem = '64MB'")),
    "row-security-without-policy": Case(
        run("ALTER TABLE books ENABLE ROW LEVEL SECURITY"), run("ALTER TABLE shelves ENABLE ROW LEVEL SECURITY")
    ),
    "row-security-forced": Case(
        run("ALTER TABLE shelves FORCE ROW LEVEL SECURITY"), run("ALTER TABLE shelves ENABLE ROW LEVEL SECURITY")
    ),
    "drops-policy": Case(
        run("DROP POLICY shown ON shelves"),
        run("DROP POLICY shown ON shelves; CREATE POLICY shown ON shelves USING (id > 0)"),
    ),
    "published-table": Case(
        "op.drop_column('shelves', 'label')",
        "pass",
        good_contract="ops.drop_column('shelves', sa.Column('label', sa.String(20)))",
    ),
    "revokes-privilege": Case(run("REVOKE SELECT ON books FROM reader"), run("GRANT SELECT ON books TO reader")),
    "grants-to-public": Case(run("GRANT SELECT ON books TO PUBLIC"), run("GRANT SELECT ON books TO reader")),
    "table-without-primary-key": Case("ops.create_table('fresh', sa.Column('id', sa.Integer()))", NEW),
    "sqlite-unknown-statement": Case(both("ALTER TABLE books ALTER COLUMN price SET NOT NULL"), both("ANALYZE books")),
    "sqlite-add-column-limit": Case(
        both("ALTER TABLE books ADD COLUMN n text DEFAULT CURRENT_TIMESTAMP"),
        both("ALTER TABLE books ADD COLUMN n text DEFAULT ''"),
    ),
    "sqlite-drop-column-limit": Case(
        both("ALTER TABLE books DROP COLUMN shelf_id"), NEW + both("ALTER TABLE fresh DROP COLUMN a")
    ),
    "sqlite-pragma": Case(both("PRAGMA foreign_keys = OFF"), both("PRAGMA optimize")),
    "sqlite-replaces-rows": Case(
        both("INSERT OR REPLACE INTO shelves (id) VALUES (1)"),
        both("INSERT INTO shelves (label) VALUES ('a') ON CONFLICT DO NOTHING"),
    ),
    "sqlite-manual-rebuild": Case(
        both(
            "CREATE TABLE shelves_new (id integer PRIMARY KEY, label text); "
            "INSERT INTO shelves_new SELECT * FROM shelves; "
            "DROP TABLE shelves; ALTER TABLE shelves_new RENAME TO shelves"
        ),
        "ops.change_type('shelves', sa.Column('label', sa.String(20)), sa.Column('label', sa.String(30)))",
    ),
    "sqlite-batch-recreate": Case(
        "with op.batch_alter_table('books', recreate='always') as batch:\n"
        "    batch.add_column(sa.Column('n', sa.Text()))",
        "with op.batch_alter_table('books') as batch:\n    batch.add_column(sa.Column('n', sa.Text()))",
        good_down="op.drop_column('books', 'n')",
    ),
    "does-not-run": Case("ops.add_column('books')", "ops.add_column('books', sa.Column('n', sa.Integer()))"),
    "renames-used-type": Case(run("ALTER TYPE mood RENAME TO moods"), run("ALTER TYPE mood OWNER TO someone")),
    "renames-used-object": Case(
        run("ALTER TABLE books RENAME CONSTRAINT ck_books_kind TO ck_kind"),
        NEW + run("ALTER TABLE fresh RENAME CONSTRAINT pk_fresh TO pk_other"),
    ),
    "allows-null": Case("op.alter_column('books', 'title', nullable=True)", "ops.drop_not_null('books', 'title')"),
    "defers-constraint": Case(
        run("ALTER TABLE books ALTER CONSTRAINT fk_books_shelf_id_shelves DEFERRABLE INITIALLY DEFERRED"),
        run("ALTER TABLE books ALTER CONSTRAINT fk_books_shelf_id_shelves DEFERRABLE"),
    ),
    "disables-row-security": Case(
        run("ALTER TABLE shelves DISABLE ROW LEVEL SECURITY"), run("ALTER TABLE shelves ENABLE ROW LEVEL SECURITY")
    ),
    "creates-rule": Case(
        run("CREATE RULE quiet AS ON DELETE TO books DO INSTEAD NOTHING"),
        NEW + run("CREATE RULE quiet AS ON DELETE TO fresh DO INSTEAD NOTHING"),
    ),
    "changes-owner": Case(run("ALTER TABLE books OWNER TO other"), NEW + run("ALTER TABLE fresh OWNER TO other")),
    "loses-replica-identity": Case(
        run("ALTER TABLE books REPLICA IDENTITY NOTHING"), run("ALTER TABLE books REPLICA IDENTITY FULL")
    ),
    "changes-publication": Case(
        run("ALTER PUBLICATION outward DROP TABLE shelves"), run("ALTER PUBLICATION outward OWNER TO a")
    ),
    "leaves-broken-code": Case(noted("nota"), noted("note")),
    "foreign-key-without-index": Case(
        "ops.add_foreign_key('books', 'fk', ['price'], 'shelves')",
        "ops.create_index('ix', 'books', ['price'])\nops.add_foreign_key('books', 'fk', ['price'], 'shelves')",
    ),
    "detaches-partition": Case(
        run("ALTER TABLE logs DETACH PARTITION logs_rest"), run("CREATE TABLE logs_own (LIKE logs INCLUDING ALL)")
    ),
    "resets-sequence": Case(
        run("ALTER SEQUENCE shelves_id_seq RESTART"),
        run("SELECT setval('shelves_id_seq', (SELECT max(id) FROM shelves))"),
    ),
    "sets-the-session": Case(run("SET search_path = other"), run("SET LOCAL search_path = other")),
    "changes-the-server": Case(run("ALTER DATABASE roster SET timezone = 'UTC'"), run("SELECT 1")),
    "opaque-sql": Case(run("SELECT mend_books()"), run("SELECT setval('a_seq', (SELECT max(id) FROM books))")),
    "reads-rows": Case(
        "for row in op.get_bind().execute(sa.text('SELECT id FROM books')):\n    op.execute(f'DELETE {row}')",
        "ops.refuse_if_any('SELECT id FROM books WHERE price < 0', 'A price is negative')",
    ),
    "unnamed-constraint": Case(
        run("ALTER TABLE books ADD CHECK (price > 0) NOT VALID"),
        run("ALTER TABLE books ADD CONSTRAINT ck CHECK (price > 0) NOT VALID"),
    ),
    "name-too-long": Case(run(f"CREATE INDEX CONCURRENTLY {LONG} ON books (title)"), run(f"SELECT '{LONG}'")),
    "no-downgrade": Case(ADD, ADD, bad_down="raise NotImplementedError", good_down="op.drop_column('books', 'n')"),
    "false-downgrade": Case(
        ADD, ADD, bad_down="op.drop_column('books', 'm')", good_down="op.drop_column('books', 'n')"
    ),
    "destroys-values": Case(
        "op.drop_column('books', 'shelf_id')",
        "pass",
        good_contract="ops.drop_column('books', sa.Column('shelf_id', sa.Integer()))",
    ),
    "irreversible-values": Case(
        "op.execute(\"UPDATE books SET note = '' WHERE id = 7\")",
        "op.execute(\"UPDATE books SET note = '' WHERE id = 7\")",
        good_down='op.execute("UPDATE books SET note = NULL WHERE id = 7")',
    ),
    "looks-like-rename": Case(
        "ops.add_column('books', sa.Column('cost', sa.Numeric(8, 2)))",
        "ops.add_column('books', sa.Column('cost', sa.Numeric(9, 2)))",
        good_contract="ops.drop_column('books', sa.Column('shelf_id', sa.Integer()))",
    ),
    "explicit-ids": Case(
        "op.execute(\"INSERT INTO shelves (id, label) VALUES (1, 'a')\")",
        "op.execute(\"INSERT INTO shelves (label) VALUES ('a')\")",
        good_down="op.execute(\"DELETE FROM shelves WHERE label = 'a'\")",
    ),
}
