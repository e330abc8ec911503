"""What two schemas differ in: a downgrade should leave the schema that was there before the upgrade."""

import re
from collections.abc import Collection, Iterator, Mapping
from typing import Any

from service.migrate.dialects.postgresql.tokens import tokenize
from service.migrate.proof.lint.sql.change import Column, Constraint
from service.migrate.proof.lint.sql.schema import Schema, Table

# What a table has unless ALTER TABLE set another.
_USUAL = {
    "logged": "logged",
    "tablespace": "pg_default",
    "access method": "heap",
    "replica identity": "default",
    "row security": "disable",
    "forced row security": "no",
    "owner": "the one before",
}
_SAID = {"enable": "enabled", "disable": "disabled", "force": "forced", "no": "not forced"}
# Words and marks that do not change what a statement makes.
_IDLE = frozenset(("concurrently", "public", "."))


def of_tables(was: Table, now: Table, table: str) -> Iterator[str]:
    """What is other in a table that both schemas have."""
    yield from named("column", f"{table}.", was.columns, now.columns)
    yield from named("index", f"{table}.", was.indexes, now.indexes)
    old, new = ({each.name: each for each in one.constraints} for one in (was, now))
    yield from named("constraint", f"{table}.", old, new)
    for name in sorted(was.columns.keys() & now.columns.keys()):
        yield from _of_columns(was.columns[name], now.columns[name], f"{table}.{name}")
    for name in sorted(was.index_texts.keys() & now.index_texts.keys()):
        if _made(was.index_texts[name]) != _made(now.index_texts[name]):
            yield f"the index is {_shown(now.index_texts[name])} instead of {_shown(was.index_texts[name])}"
    for name in sorted(old.keys() & new.keys() - {""}):
        # A constraint that became valid is none the worse.
        if _definition(old[name]) != _definition(new[name]) or old[name].is_valid > new[name].is_valid:
            yield f"the constraint {table}.{name} has another definition"
    for name in sorted(was.settings.keys() | now.settings.keys()):
        one, other = (each.settings.get(name, _USUAL.get(name, "enable")) for each in (was, now))
        if one != other:
            yield f"the {name} of {table} is {_SAID.get(other, other)} instead of {_SAID.get(one, one)}"


def _of_columns(was: Column, now: Column, name: str) -> Iterator[str]:
    if was.type and now.type and was.type != now.type:
        yield f"{name} is {now.type} instead of {was.type}"
    elif was.is_nullable != now.is_nullable:
        yield f"{name} is {'' if now.is_nullable else 'NOT '}NULL"
    if _value(was.default) != _value(now.default):
        yield f"the default of {name} is {now.default or 'missing'} instead of {was.default or 'none'}"
    if was.collation != now.collation:
        yield f"the collation of {name} is {now.collation or 'the default'} instead of {was.collation or 'the default'}"
    if (was.is_identity, was.generated) != (now.is_identity, now.generated):
        yield f"{name} is {_kind(now)} instead of {_kind(was)}"


def _kind(column: Column) -> str:
    return "an identity column" if column.is_identity else column.generated or "a plain column"


def _value(default: str | None) -> str:
    """A default without its cast, quotes and parentheses, which the two ways to write one differ in."""
    text = re.sub(r"::\s*[\w ]+(\([\d, ]+\))?$", "", (default or "").strip()).lower()
    return "" if text == "null" else text.strip("'() ")


def _definition(constraint: Constraint) -> tuple[Any, ...]:
    expression = re.sub(r"[\s()\"]", "", constraint.expression).lower()
    columns = constraint.columns if constraint.kind != "check" else ()
    options = constraint.options.replace("on delete no action", "").replace("on update no action", "").strip()
    return constraint.kind, columns, constraint.referred, expression, options


def _made(text: str) -> list[str]:
    """The tokens of a definition, without what makes no difference."""
    plain = re.sub(r"\s+(or replace|using btree|if not exists)\b", " ", text, flags=re.IGNORECASE)
    found = (re.sub(r"\s+", " ", token.text.strip('"')).lower() for token in tokenize(plain))
    return [each for each in found if each not in _IDLE]


def _shown(text: str) -> str:
    return " ".join(text.split()).removeprefix("CREATE ")


def of_schemas(was: Schema, now: Schema, only: Collection[str] = ()) -> Iterator[str]:
    """What is other beside tables: functions, views, types, triggers, policies, sequences, comments, privileges.

    `only` names the parts of the schema that count, if not all do.
    """
    if only:
        was, now = (Schema(**{name: getattr(each, name) for name in only}) for each in (was, now))
    yield from _texts("function", was.functions, now.functions)
    yield from _texts("view", was.views, now.views)
    yield from named("type", "", was.enums, now.enums)
    yield from named("domain", "", was.domains, now.domains)
    yield from named("sequence", "", was.sequences, now.sequences)
    for name in sorted(was.sequences.keys() & now.sequences.keys()):
        if was.sequences[name] != now.sequences[name]:
            owner = was.sequences[name] or "no column"
            yield f"the sequence {name} belongs to {now.sequences[name] or 'no column'} instead of {owner}"
    for what in ("triggers", "policies"):
        old, new = (
            {" of ".join(_ordered(key, what)): text for key, text in getattr(each, what).items()} for each in (was, now)
        )
        yield from _texts({"triggers": "trigger", "policies": "policy"}[what], old, new)
    yield from named("comment on", "", was.comments, now.comments)
    for name in sorted(was.comments.keys() & now.comments.keys()):
        if was.comments[name] != now.comments[name]:
            yield f"the comment on {name} is {now.comments[name]}"
    yield from named("privilege", "", _granted(was), _granted(now))
    yield from named("publication", "", _published(was), _published(now))


def _ordered(key: tuple[str, str], what: str) -> tuple[str, str]:
    return key if what == "triggers" else key[::-1]


def _granted(schema: Schema) -> set[str]:
    return {f"{privileges} on {table or 'new tables'} to {role}" for privileges, table, role in schema.grants}


def _published(schema: Schema) -> set[str]:
    return {f"{each} of {table}" for table, publications in schema.published.items() for each in publications}


def _texts(what: str, was: Mapping[str, str], now: Mapping[str, str]) -> Iterator[str]:
    yield from named(what, "", was, now)
    for name in sorted(was.keys() & now.keys()):
        # A text from the catalog of a database is written in another way than the revision's.
        known = was[name].lower().startswith("create") and now[name].lower().startswith("create")
        if known and _made(was[name]) != _made(now[name]):
            yield f"the {what} {name} has another definition"


def named(
    what: str, of: str, was: Mapping[str, object] | set[str], now: Mapping[str, object] | set[str]
) -> Iterator[str]:
    """The names that one of the schemas has alone."""
    old, new = set(was), set(now)
    yield from (f"the {what} {of}{each} is missing" for each in sorted(old - new))
    yield from (f"the {what} {of}{each} is still there" for each in sorted(new - old))
