"""Random tables as other people make them: columns, keys, defaults, constraints, triggers, grants and comments."""

from dataclasses import dataclass
from random import Random

from tests.migrate.property.kinds import KINDS, POSTGRESQL_TYPES, Kind

# A role that owns nothing and writes through its grants.
APP = "property_app"
_NAMES = ("city", "Full Name", "select", "größe", "a%b", "mail", "Nr", "x_1")
_TABLES = ("firms", "Order", "my table", "groß", "t")


def quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """A column of a random table."""

    name: str
    kind: Kind
    nullable: bool = True
    default: str | None = None

    @property
    def ddl(self) -> str:
        default = "" if self.default is None else f" DEFAULT {self.default}"
        return f"{quoted(self.name)} {self.kind.sql}{default}{'' if self.nullable else ' NOT NULL'}"

    def source(self, name: str | None = None, kind: Kind | None = None) -> str:
        """The column as a revision declares it, under this name and with this type."""
        default = "" if self.default is None else f", server_default=sa.text({self.default!r})"
        nullable = "" if self.nullable else ", nullable=False"
        return f"sa.Column({name or self.name!r}, {(kind or self.kind).source}{default}{nullable})"


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """A random table; `{t}` in `extras` stands for its quoted name and `{tag}` for a prefix of other names."""

    dialect: str
    name: str
    key: tuple[Column, ...]
    columns: tuple[Column, ...]
    options: str = ""
    extras: tuple[str, ...] = ()
    # Whether writes are made by a role that owns nothing.
    has_app: bool = False

    @property
    def every(self) -> tuple[Column, ...]:
        return (*self.key, *self.columns)

    def indexes_of(self, column: Column) -> list[str]:
        """Arguments of `ops.drop_index` for each index on the column."""
        prefix, found = "CREATE INDEX {tag}", []
        for extra in self.extras:
            if extra.startswith(prefix) and quoted(column.name) in extra:
                name, _, rest = extra.removeprefix(prefix).partition(" ON {t} (")
                listed, _, where = rest.removesuffix(")").partition(") WHERE ")
                listed = listed if listed.startswith("lower") else column.name
                condition = f", where={where!r}" if where else ""
                found.append(f"'m_{name}', {self.name!r}, [{listed!r}]{condition}")
        return found

    def ddl(self, name: str, tag: str) -> list[str]:
        """The statements that create the table under this name."""
        lines = [each.ddl for each in self.every]
        key = ", ".join(quoted(each.name) for each in self.key)
        lines.append(f"CONSTRAINT {tag}pk PRIMARY KEY ({key})")
        created = f"CREATE TABLE {quoted(name)} ({', '.join(lines)}){self.options}"
        return [created, *(each.replace("{t}", quoted(name)).replace("{tag}", tag) for each in self.extras)]


def random_table(random: Random, dialect: str) -> Table:
    """A table with a key, two to four other columns, and some of what a table can carry."""
    kinds = KINDS[dialect]
    names = random.sample(_NAMES, 7)
    key = tuple(Column(name=name, kind=kinds[0], nullable=False) for name in _key(random, names))
    columns = tuple(_column(random, names[2 + number], random.choice(kinds)) for number in range(random.randint(2, 4)))
    table = Table(dialect=dialect, name=random.choice(_TABLES), key=key, columns=columns)
    extras = _on_postgresql(random, table) if dialect == "postgresql" else _on_sqlite(random, table)
    has_app = dialect == "postgresql" and random.random() < 0.4
    grants = _grants(random, table) if has_app else []
    chosen = [each for each in extras if random.random() < 0.25]
    options = random.choice(_OPTIONS[dialect]) if random.random() < 0.2 else ""
    if "PARTITION" in options:
        options = options.format(key=", ".join(quoted(each.name) for each in key))
        # Not every kind of table can have the others.
        chosen = ["CREATE TABLE {tag}only PARTITION OF {t} FOR VALUES WITH (MODULUS 1, REMAINDER 0)"]
    return Table(
        dialect=dialect,
        name=table.name,
        key=key,
        columns=columns,
        options=options,
        extras=(*grants, *chosen),
        has_app=has_app,
    )


def prepared(dialect: str) -> tuple[str, ...]:
    """Statements that run before the first table is created."""
    log = "CREATE TABLE logged (what text)"
    if dialect == "sqlite":
        return (log,)
    return (*POSTGRESQL_TYPES, log, f"GRANT INSERT ON logged TO {APP}")


_OPTIONS = {"postgresql": (" WITH (fillfactor=70)", " PARTITION BY HASH ({key})"), "sqlite": (" WITHOUT ROWID",)}


def _key(random: Random, names: list[str]) -> list[str]:
    return random.choice((["id"], ["id"], [names[0]], names[:2]))


def _column(random: Random, name: str, kind: Kind) -> Column:
    default = random.choice(kind.values) if random.random() < 0.3 else None
    return Column(name=name, kind=kind, nullable=random.random() < 0.7, default=default)


def _grants(random: Random, table: Table) -> list[str]:
    if random.random() < 0.5:
        return [f"GRANT ALL ON {{t}} TO {APP}"]
    names = ", ".join(quoted(each.name) for each in table.every)
    return [f"GRANT SELECT ({names}), INSERT ({names}), UPDATE ({names}) ON {{t}} TO {APP}"]


def _on_both(random: Random, table: Table) -> list[str]:
    found = []
    for number, column in enumerate(table.columns):
        name = quoted(column.name)
        if column.kind.sql.lower() not in ("json", "json[]", "point"):
            found += [
                f"CREATE INDEX {{tag}}ix_{number} ON {{t}} ({name})",
                f"CREATE INDEX {{tag}}ip_{number} ON {{t}} ({name}) WHERE {name} IS NOT NULL",
            ]
        if column.kind.is_text:
            found.append(f"CREATE INDEX {{tag}}ie_{number} ON {{t}} (lower({name}))")
    listed = ", ".join(quoted(each.name) for each in table.every)
    if random.random() < 0.7:
        return found
    return [*found, f"CREATE VIEW {{tag}}seen AS SELECT {listed} FROM {{t}}"]


def _on_postgresql(random: Random, table: Table) -> list[str]:
    column = random.choice(table.columns)
    name, first = quoted(column.name), random.choice(("a", "z", "~"))
    body = f"IF NEW.{name} IS NOT NULL THEN INSERT INTO logged VALUES ('named'); END IF; RETURN NEW;"
    extras = [
        *_on_both(random, table),
        "COMMENT ON TABLE {t} IS 'A table of others'",
        f"COMMENT ON COLUMN {{t}}.{name} IS 'A column of others'",
        f"ALTER TABLE {{t}} ALTER {name} SET STATISTICS 500",
        f"ALTER TABLE {{t}} ALTER {name} SET (n_distinct = 5)",
        "ALTER TABLE {t} REPLICA IDENTITY FULL",
        f"ALTER TABLE {{t}} ADD CONSTRAINT {{tag}}ck CHECK ({name} IS NOT NULL OR {quoted(table.key[0].name)} > -9)",
        "CREATE PUBLICATION {tag}pub FOR TABLE {t}",
        "ALTER TABLE {t} ENABLE ROW LEVEL SECURITY; CREATE POLICY {tag}all ON {t} USING (true)",
        (
            f"CREATE FUNCTION {{tag}}named() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN {body} END $$; "
            f'CREATE TRIGGER "{first}{{tag}}named" BEFORE INSERT OR UPDATE ON {{t}} FOR EACH ROW EXECUTE FUNCTION '
            "{tag}named()"
        ),
        (
            f"CREATE FUNCTION {{tag}}after() RETURNS trigger LANGUAGE plpgsql AS "
            "$$ BEGIN INSERT INTO logged VALUES (TG_OP); RETURN NULL; END $$; "
            f"CREATE TRIGGER {{tag}}after AFTER INSERT OR UPDATE OF {name} ON {{t}} FOR EACH ROW "
            "EXECUTE FUNCTION {tag}after()"
        ),
        "CREATE RULE {tag}rule AS ON DELETE TO {t} DO ALSO INSERT INTO logged VALUES ('gone')",
        "ALTER TABLE {t} ADD COLUMN {tag}number bigint GENERATED BY DEFAULT AS IDENTITY",
        "ALTER TABLE {t} ADD COLUMN {tag}serial serial",
        f"ALTER TABLE {{t}} ADD COLUMN {{tag}}made boolean GENERATED ALWAYS AS ({name} IS NULL) STORED",
        "CREATE TABLE {tag}child () INHERITS ({t})",
    ]
    if column.kind.is_text:
        extras += [
            f"CREATE STATISTICS {{tag}}st ON {name}, {quoted(table.key[0].name)} FROM {{t}}",
            f"ALTER TABLE {{t}} ALTER {name} SET STORAGE EXTERNAL",
            (
                f"CREATE FUNCTION {{tag}}tidy() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN IF to_jsonb(NEW) ? "
                f"'{column.name}' THEN NEW := jsonb_populate_record(NEW, jsonb_build_object('{column.name}', "
                f"lower(to_jsonb(NEW) ->> '{column.name}'))); END IF; RETURN NEW; END $$; "
                f'CREATE TRIGGER "{first}{{tag}}tidy" BEFORE INSERT OR UPDATE ON {{t}} FOR EACH ROW EXECUTE FUNCTION '
                "{tag}tidy()"
            ),
        ]
    return extras


def _on_sqlite(random: Random, table: Table) -> list[str]:
    column = random.choice(table.columns)
    name = quoted(column.name)
    return [
        *_on_both(random, table),
        "CREATE TRIGGER {tag}after AFTER INSERT ON {t} BEGIN INSERT INTO logged VALUES ('inserted'); END",
        f"CREATE TRIGGER {{tag}}of AFTER UPDATE OF {name} ON {{t}} BEGIN INSERT INTO logged VALUES (NEW.{name}); END",
        (
            f"CREATE TRIGGER {{tag}}before BEFORE UPDATE ON {{t}} WHEN NEW.{name} IS NULL AND OLD.{name} IS NULL "
            "BEGIN INSERT INTO logged VALUES ('null'); END"
        ),
    ]
