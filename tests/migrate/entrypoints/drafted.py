"""Models whose drafts a test runs: on both databases, and with what PostgreSQL alone has."""

import enum

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql as pg

NAMES = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s",
    "pk": "pk_%(table_name)s",
}
# What env.py of the test's project hands to Alembic.
CURRENT: list[sa.MetaData] = [sa.MetaData()]


class Colour(enum.Enum):
    RED = "red"
    BLUE = "blue"


class More(enum.Enum):
    RED = "red"
    BLUE = "blue"
    GREEN = "green"


class Folded(sa.TypeDecorator[str]):
    """A type of the project's own."""

    impl = sa.String(20)
    cache_ok = True


def models(database: str, *, changed: bool = False) -> sa.MetaData:
    """Tables with every kind of thing that both databases have; `changed` gives many another definition."""
    metadata = sa.MetaData(naming_convention=NAMES)
    people = sa.Table(
        "people",
        metadata,
        sa.Column("id", sa.Integer, sa.Identity(), primary_key=True),
        sa.Column("name", sa.String(50 + changed), nullable=False, comment="what to call them" + "!" * changed),
        sa.Column(
            "colour",
            sa.Enum(More if changed else Colour, native_enum=False, create_constraint=True, name="colour", length=9),
        ),
        sa.Column("folded", Folded, server_default="it's 50% :x" + "y" * changed),
        sa.Column("payload", sa.JSON().with_variant(pg.JSONB(), "postgresql")),
        sa.Column("lasting", sa.Interval),
        sa.Column("at", sa.DateTime(timezone=True), server_default=sa.func.now()),
        sa.Column("is_open", sa.Boolean, server_default=sa.false(), nullable=False),
        sa.Column("age", sa.Numeric(6, 2), server_default="7"),
        sa.Column("doubled", sa.Numeric(6, 2), sa.Computed("age * 2", persisted=True)),
        sa.Column("full name", sa.Text),
        sa.Column("boss_id", sa.Integer, sa.ForeignKey("people.id", ondelete="SET NULL" if changed else "CASCADE")),
        sa.Column("room_id", sa.Integer, sa.ForeignKey("rooms.id", deferrable=True, initially="DEFERRED")),
        sa.CheckConstraint(sa.column("age") > (6 if changed else 5), name="old"),
        *([] if changed else [sa.CheckConstraint("folded <> 'x:y'", name="named")]),
        sa.Column("size", sa.Integer, *([sa.CheckConstraint("size <> 0", name="some")] if changed else [])),
        sa.UniqueConstraint("name", *(["age"] if changed else ["folded"]), name="uq_people_what"),
        comment="all of them" if not changed else None,
        sqlite_autoincrement=True,
    )
    sa.Index("ix_people_lower", sa.func.lower(people.c.name), unique=True)
    text = sa.text("is_open" if database == "postgresql" else "is_open = 1")
    sa.Index("ix_people_open", people.c.age.desc(), people.c["full name"], postgresql_where=text, sqlite_where=text)
    sa.Index("ix_people_same", *([people.c.name] if changed else [people.c.age]))
    sa.Table(
        "rooms",
        metadata,
        sa.Column("id", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("owner_id", sa.Integer, sa.ForeignKey("people.id", onupdate="CASCADE"), index=True),
        sa.Column("Big", sa.BigInteger, sa.CheckConstraint('"Big" > 0', name="big")),
        sa.Column("is_flat", sa.Boolean(create_constraint=True, name="flat")),
        info={"for": object()},
    )
    if database == "postgresql":
        _of_postgresql(metadata, changed=changed)
    return metadata


def _of_postgresql(metadata: sa.MetaData, *, changed: bool) -> None:
    docs = sa.Table(
        "docs",
        metadata,
        sa.Column("id", sa.BigInteger, sa.Identity(always=True, start=5, increment=2), primary_key=True),
        sa.Column("tags", pg.ARRAY(sa.Text)),
        sa.Column("words", pg.TSVECTOR),
        sa.Column("code", sa.String(9)),
        sa.Column("other", sa.String(9)),
        sa.Column("span", pg.INT4RANGE),
        sa.Column("plain", sa.JSON, server_default='{"a": 1}' if changed else "{}"),
        sa.Column("key", sa.Uuid, server_default=sa.text("gen_random_uuid()")),
        sa.UniqueConstraint("code", postgresql_nulls_not_distinct=not changed),
        sa.UniqueConstraint("other", deferrable=True, initially="DEFERRED"),
        pg.ExcludeConstraint(("span", "&&"), name="ex_docs_span", using="gist"),
        postgresql_using="heap",
    )
    sa.Index("ix_docs_tags", docs.c.tags, postgresql_using="gin")
    sa.Index("ix_docs_code_more", docs.c.code, postgresql_include=["other"], postgresql_with={"fillfactor": 60})
    sa.Index("ix_docs_code_ops", docs.c.code, postgresql_ops={"code": "text_pattern_ops"})
    sa.Index("ix_docs_cast", sa.cast(docs.c.code, sa.Integer), (docs.c.code + docs.c.other).label("both"))
