"""For each rule, a revision that breaks it and a twin that does not; all upon one base."""

from typing import NamedTuple

BASE = """
ops.create_table("shelves", sa.Column("id", sa.Integer(), nullable=False), sa.Column("label", sa.String(20)),
                 sa.PrimaryKeyConstraint("id", name="pk_shelves"))
ops.create_table(
    "books", sa.Column("id", sa.Integer(), nullable=False), sa.Column("title", sa.String(50), nullable=False),
    sa.Column("kind", sa.String(9), server_default="novel", nullable=False), sa.Column("shelf_id", sa.Integer()),
    sa.Column("price", sa.Numeric(8, 2)), sa.Column("note", sa.Text()),
    sa.PrimaryKeyConstraint("id", name="pk_books"),
    sa.CheckConstraint("kind IN ('novel', 'poem')", name="ck_books_kind"),
    sa.ForeignKeyConstraint(["shelf_id"], ["shelves.id"], name="fk_books_shelf_id_shelves"))
ops.create_index("ix_books_kind_price", "books", ["kind", "price"])
ops.create_index("ix_books_shelf_id", "books", ["shelf_id"])
ops.function("noted", "CREATE FUNCTION noted() RETURNS trigger LANGUAGE plpgsql AS "
             "$$ BEGIN NEW.note := NEW.title; RETURN NEW; END $$")
ops.trigger("books_noted", "books",
            postgresql="CREATE TRIGGER books_noted BEFORE INSERT ON books FOR EACH ROW EXECUTE FUNCTION noted()")
ops.execute("new tables", postgresql=[
    "CREATE TABLE logs (id integer NOT NULL, at timestamptz, CONSTRAINT pk_logs PRIMARY KEY (id, at)) "
    "PARTITION BY RANGE (at)",
    "CREATE TABLE parts (id integer NOT NULL, at timestamptz, CONSTRAINT pk_parts PRIMARY KEY (id, at))",
    "CREATE TABLE logs_rest PARTITION OF logs DEFAULT",
    "CREATE TABLE days (id integer NOT NULL, at timestamptz, CONSTRAINT pk_days PRIMARY KEY (id, at)) "
    "PARTITION BY RANGE (at)",
    "CREATE DOMAIN short AS text CHECK (length(VALUE) < 9)",
    "CREATE PUBLICATION outward FOR TABLE shelves",
    "CREATE POLICY shown ON shelves USING (true)",
], undo_postgresql=["SELECT 1"])
"""


class Case(NamedTuple):
    """The bodies of upgrade(), in Alembic's plain style if they call `op`, and of downgrade()."""

    bad: str
    good: str
    bad_down: str = "op.execute('SELECT 1')"
    good_down: str = ""
    good_contract: str = ""


def run(postgresql: str) -> str:
    """A statement for PostgreSQL alone, in safe style."""
    return f"ops.execute('a reason', postgresql=[{postgresql!r}], undo_postgresql=['SELECT 1'])"


def both(statement: str) -> str:
    return (
        f"ops.execute('a reason', postgresql=['SELECT 1'], sqlite=[{statement!r}], undo_postgresql=['SELECT 1'], "
        "undo_sqlite=['SELECT 1'])"
    )


NEW = """
ops.create_table("fresh", sa.Column("id", sa.Integer(), nullable=False), sa.Column("a", sa.Integer()),
                 sa.PrimaryKeyConstraint("id", name="pk_fresh"))
"""
CASES: dict[str, Case] = {
    "index-blocks-writes": Case(
        "op.create_index('ix', 'books', ['title'])", "ops.create_index('ix', 'books', ['title'])"
    ),
    "unique-constraint-builds-index": Case(
        "op.create_unique_constraint('uq', 'books', ['title'])", "ops.add_unique('books', 'uq', ['title'])"
    ),
    "primary-key-builds-index": Case(
        run("ALTER TABLE parts ADD CONSTRAINT pk PRIMARY KEY (id)"),
        NEW + run("ALTER TABLE fresh ADD CONSTRAINT pk PRIMARY KEY (a)"),
    ),
    "exclusion-constraint-builds-index": Case(
        run("ALTER TABLE books ADD CONSTRAINT x EXCLUDE USING gist (price WITH =)"),
        NEW + run("ALTER TABLE fresh ADD CONSTRAINT x EXCLUDE USING gist (a WITH =)"),
    ),
    "foreign-key-validates-rows": Case(
        "op.create_foreign_key('fk', 'books', 'shelves', ['id'], ['id'])",
        "ops.add_foreign_key('books', 'fk', ['id'], 'shelves')",
    ),
    "check-validates-rows": Case(
        run("ALTER TABLE books ADD COLUMN pages integer CONSTRAINT ck CHECK (pages > 0)"),
        "ops.add_column('books', sa.Column('pages', sa.Integer()))\nops.add_check('books', 'ck', 'pages > 0')",
    ),
    "not-null-scans-rows": Case(
        "op.alter_column('books', 'price', nullable=False, server_default='0')",
        "ops.set_not_null('books', 'price', fill='0')",
    ),
    "validates-under-the-lock-of-add": Case(
        "op.execute('ALTER TABLE books ADD CONSTRAINT ck CHECK (price > 0) NOT VALID')\n"
        "op.execute('ALTER TABLE books VALIDATE CONSTRAINT ck')",
        run("ALTER TABLE books ADD CONSTRAINT ck CHECK (price > 0) NOT VALID")
        + "\n"
        + run("ALTER TABLE books VALIDATE CONSTRAINT ck"),
    ),
    "attach-scans-partition": Case(
        run("ALTER TABLE logs ATTACH PARTITION parts FOR VALUES FROM ('2026-01-01') TO ('2026-02-01')"),
        run(
            "CREATE TABLE newest (id integer, at timestamptz, CONSTRAINT pk PRIMARY KEY (id, at)); "
            "ALTER TABLE days ATTACH PARTITION newest FOR VALUES FROM ('2026-01-01') TO ('2026-02-01')"
        ),
    ),
    "partition-scans-default": Case(
        run("CREATE TABLE logs_1 PARTITION OF logs FOR VALUES FROM ('2026-01-01') TO ('2026-02-01')"),
        run("CREATE TABLE days_1 PARTITION OF days FOR VALUES FROM ('2026-01-01') TO ('2026-02-01')"),
    ),
    "collation-rebuilds-index": Case(
        "op.alter_column('books', 'kind', type_=sa.String(9, collation='C'))",
        "ops.add_column('books', sa.Column('n', sa.String(9, collation='C').with_variant(sa.Text(), 'sqlite')))",
    ),
    "refresh-blocks-reads": Case(
        run("REFRESH MATERIALIZED VIEW sums"), run("REFRESH MATERIALIZED VIEW CONCURRENTLY sums")
    ),
    "reindex-blocks-writes": Case(run("REINDEX TABLE books"), run("ANALYZE books")),
    "locks-table": Case(run("LOCK TABLE books"), run("LOCK TABLE books IN ROW EXCLUSIVE MODE")),
    "domain-constraint-scans-tables": Case(
        run("ALTER DOMAIN short ADD CONSTRAINT c CHECK (length(VALUE) > 1)"),
        run("ALTER DOMAIN short ADD CONSTRAINT c CHECK (length(VALUE) > 1) NOT VALID"),
    ),
    "type-change-rechecks-rows": Case(
        "op.alter_column('books', 'kind', type_=sa.String(20))",
        "ops.change_type('books', sa.Column('title', sa.String(50)), sa.Column('title', sa.String(60)))",
    ),
    "type-change-rewrites": Case(
        "op.alter_column('books', 'id', type_=sa.BigInteger())",
        "ops.change_type('books', sa.Column('shelf_id', sa.Integer()), sa.Column('shelf_id', sa.BigInteger()))",
    ),
    "volatile-default-rewrites": Case(
        "op.add_column('books', sa.Column('u', sa.Uuid(), server_default=sa.text('gen_random_uuid()')))",
        "ops.add_column('books', sa.Column('at', sa.DateTime(), server_default=sa.func.now()))",
    ),
    "serial-column-rewrites": Case(
        run("ALTER TABLE books ADD COLUMN n bigserial"), run("ALTER TABLE books ADD COLUMN n bigint")
    ),
    "stored-column-rewrites": Case(
        run("ALTER TABLE books ADD COLUMN n text GENERATED ALWAYS AS (lower(title)) STORED"),
        "ops.add_column('books', sa.Column('n', sa.Text()), derived=True)\n"
        "ops.follow('books', 'n', 'title', postgresql='lower(title)', sqlite='lower(title)')",
    ),
    "domain-column-rewrites": Case(
        run("ALTER TABLE books ADD COLUMN n short"), run("ALTER TABLE books ADD COLUMN n text")
    ),
    "expression-rewrites": Case(
        run("ALTER TABLE books ALTER COLUMN note SET EXPRESSION AS (title)"),
        run("ALTER TABLE books ALTER COLUMN note SET STATISTICS 100"),
    ),
    "logging-rewrites": Case(run("ALTER TABLE books SET UNLOGGED"), run("ALTER TABLE books SET (fillfactor = 90)")),
    "tablespace-copies": Case(run("ALTER TABLE books SET TABLESPACE fast"), run("ALTER TABLE books CLUSTER ON pk")),
    "access-method-rewrites": Case(
        run("ALTER TABLE books SET ACCESS METHOD other"), run("ALTER TABLE books REPLICA IDENTITY FULL")
    ),
    "cluster-rewrites": Case(run("CLUSTER books USING pk_books"), run("ANALYZE books")),
    "vacuum-full-rewrites": Case(run("VACUUM (FULL) books"), run("ANALYZE books")),
    "batch-copies-table": Case(
        "with op.batch_alter_table('shelves', recreate='always') as batch:\n"
        "    batch.add_column(sa.Column('n', sa.Text()))",
        "with op.batch_alter_table('shelves', recreate='never') as batch:\n"
        "    batch.add_column(sa.Column('n', sa.Text()))",
        good_down="op.drop_column('shelves', 'n')",
    ),
    "long-work-under-a-lock": Case(
        "op.add_column('books', sa.Column('n', sa.Integer()))\nop.execute('UPDATE books SET n = 1')",
        "ops.add_column('books', sa.Column('n', sa.Integer(), server_default='1'))",
    ),
    "locks-several-tables": Case(
        "op.add_column('books', sa.Column('n', sa.Integer()))\nop.add_column('shelves', sa.Column('n', sa.Integer()))",
        "ops.add_column('books', sa.Column('n', sa.Integer()))\n"
        "ops.add_column('shelves', sa.Column('n', sa.Integer()))",
    ),
    "lock-upgrade-deadlocks": Case(
        "op.execute('UPDATE books SET price = 0 WHERE id = 7')\nop.alter_column('books', 'price', nullable=False)",
        "ops.set_not_null('books', 'price', fill='0')",
    ),
    "uses-new-enum-value": Case(
        "op.execute(\"ALTER TYPE mood ADD VALUE 'glad'\")\nop.execute(\"UPDATE books SET kind = 'glad' WHERE id = 7\")",
        "op.execute(\"UPDATE books SET kind = 'poem' WHERE id = 7\")",
        good_down="op.execute(\"UPDATE books SET kind = 'novel' WHERE id = 7\")",
    ),
    "changes-many-rows": Case(
        "op.execute('UPDATE books SET price = 1 WHERE price IS NULL')",
        "op.execute(\"UPDATE books SET note = '' WHERE id = 7\")",
        good_down='op.execute("UPDATE books SET note = NULL WHERE id = 7")',
    ),
    "not-in-a-transaction": Case(
        "op.create_index('ix', 'books', ['title'], postgresql_concurrently=True)",
        "with op.get_context().autocommit_block():\n"
        "    op.create_index('ix', 'books', ['title'], postgresql_concurrently=True)",
        good_down="op.drop_index('ix', 'books')",
    ),
    "accepts-invalid-index": Case(
        "with op.get_context().autocommit_block():\n"
        "    op.create_index('ix', 'books', ['title'], postgresql_concurrently=True, if_not_exists=True)",
        "ops.create_index('ix', 'books', ['title'], unique=True)",
    ),
    "not-on-a-partitioned-table": Case(
        "with op.get_context().autocommit_block():\n"
        "    op.create_index('ix', 'logs', ['at'], postgresql_concurrently=True)",
        "with op.get_context().autocommit_block():\n"
        "    op.create_index('ix', 'parts', ['at'], postgresql_concurrently=True)",
        good_down="op.drop_index('ix', 'parts')",
    ),
    "needs-newer-version": Case(
        run("ALTER TABLE books ADD CONSTRAINT nn NOT NULL price NOT VALID"),
        run("ALTER TABLE books ADD CONSTRAINT nn CHECK (price > 0) NOT VALID"),
    ),
    "ends-the-transaction": Case("op.execute('COMMIT')", run("SELECT 1")),
    "waits-longer-for-locks": Case(run("SET LOCAL lock_timeout = '5s'"), run("SET LOCAL lock_timeout = '40ms'")),
    "waits-in-the-transaction": Case(run("SELECT pg_advisory_xact_lock(1)"), run("SELECT pg_try_advisory_lock(1)")),
    "understated-lock": Case(
        "ops.execute('a reason', postgresql=['ALTER TABLE books ADD COLUMN n integer'], lock=ops.Lock.NONE)",
        "ops.execute('a reason', postgresql=['ALTER TABLE books ADD COLUMN n integer'])",
    ),
    "locks-many-rows": Case(
        run("SELECT id FROM books FOR UPDATE"), run("SELECT id FROM books WHERE id = 7 FOR UPDATE")
    ),
    "reads-the-table-twice": Case(
        "op.alter_column('books', 'price', nullable=False)\nop.alter_column('books', 'note', nullable=False)",
        "ops.set_not_null('books', 'price', fill='0')\nops.set_not_null('books', 'note', fill=\"''\")",
    ),
}
