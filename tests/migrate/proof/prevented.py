"""Changes that the rows of test_plan prevent."""

# A change that rows prevent: the operation, the phase, and what is said.
BAD = {
    "null": ('ops.set_not_null("books", "title")', "upgrade", "3"),
    "duplicate": ('ops.add_unique("books", "uq_books_title", ["title"])', "upgrade", "Emma"),
    "orphan": (
        'ops.add_foreign_key("books", "fk_books_shelf_id_shelves", ["shelf_id"], "shelves")',
        "upgrade",
        "7",
    ),
    "check": ('ops.add_check("books", "ck_books_price", "price >= 0")', "upgrade", "2"),
    "missing": ('ops.create_index("ix_books_colour", "books", ["colour"])', "upgrade", "books has no column colour."),
    "unique_index": ('ops.create_index("ix_books_title", "books", ["title"], unique=True)', "upgrade", "Emma"),
}
ON_POSTGRESQL = {
    "not_a_number": (
        """ops.change_type("books", sa.Column("pages", sa.Text()), sa.Column("pages", sa.Integer()),
                           using="CAST({} AS integer)", back="CAST({} AS text)")""",
        "upgrade",
        '"many"',
    ),
    "too_long": (
        'ops.change_type("books", sa.Column("title", sa.String(50)), sa.Column("title", sa.String(3)))',
        "backfill",
        "is too long for VARCHAR(3) in 2 rows of books.",
    ),
}
# A revision in Alembic's plain style, whose statements the rows above refuse: each statement, and what is said.
PLAIN = {
    "op.alter_column('books', 'title', nullable=False)": "books.title is NULL in some rows (1): 3.",
    "op.create_unique_constraint('uq_books_title', 'books', ['title'])": "one value of title (1): Emma.",
    "op.execute('ALTER TABLE books ADD CHECK (price >= 0) NOT VALID')": "",
    "op.create_check_constraint('price', 'books', 'price <> 5')": "violate CHECK (price <> 5) (1): 1.",
    "op.create_foreign_key('fk', 'books', 'shelves', ['shelf_id'], ['id'])": "shelf_id are not in shelves (1): 7.",
    "op.add_column('books', sa.Column('isbn', sa.Text(), nullable=False))": "books.isbn is NOT NULL and has no default",
    "op.execute('ALTER TABLE books ALTER pages TYPE integer USING pages::integer')": "cannot be converted to integer: ",
    "op.create_index('ix', 'books', [sa.text('lower(title)')], unique=True)": "one value of lower(title), which ix ",
    "op.add_column('books', sa.Column('note', sa.Text()))": "",
    "op.execute('ALTER TABLE books ALTER note SET NOT NULL')": "books.note is added without a value, and books has 3 ",
}
PLAIN_ON_SQLITE = {
    "op.create_index('ix', 'books', ['title'], unique=True)": "one value of title, which ix forbids (1): Emma.",
    "with op.batch_alter_table('books') as t: t.alter_column('title', nullable=False)": "is NULL in some rows (1): 3.",
}
