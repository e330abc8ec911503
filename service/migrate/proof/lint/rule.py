"""Rules: each has an id that stays, a level, the effect on users and the safe way, and a function that finds."""

from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from inspect import getdoc

from service.migrate.proof.finding import Level
from service.migrate.proof.lint.calls import Call, Style
from service.migrate.proof.lint.models import Mapped
from service.migrate.proof.lint.reading import Revision
from service.migrate.proof.lint.sql.change import Change, Constraint, Kind
from service.migrate.proof.lint.sql.schema import Schema, Table

PG, SQLITE = "postgresql", "sqlite"


class Family(StrEnum):
    """What the rules of one file are about; the value is the heading of their table in the documentation."""

    LOCKS = "Locks that block requests"
    REWRITES = "Rewrites of a table"
    TRANSACTIONS = "Transactions and waiting"
    RUNNING_VERSION = "The running version of the code"
    ON_TABLE = "What else is on the table"
    SQLITE = "SQLite"
    HISTORY = "The history and its files"
    VALUES = "Downgrades and values"
    TRACE = "Measured on a server (`--trace`)"


# What blocks requests, or fails, does so in a downgrade too; what the running version uses differs there.
_OF_DOWNGRADES = (Family.LOCKS, Family.REWRITES, Family.TRANSACTIONS, Family.SQLITE)


@dataclass(frozen=True, kw_only=True)
class Place:
    """A change in its revision.

    `schema` is what was there before the change, as far as the history tells. `created` and `added` are the tables and
    the columns of this revision, `together` what ran before in the same transaction.
    """

    change: Change
    call: Call
    schema: Schema
    revision: Revision
    version: int
    mapped: Mapped
    # The models at the base, or None if no commit was given; and what later revisions create again.
    base: Mapped | None = None
    again: Collection[tuple[str, str]] = frozenset()
    created: frozenset[str] = frozenset()
    added: frozenset[tuple[str, str]] = frozenset()
    together: "tuple[Place, ...]" = field(default=())
    following: tuple[Change, ...] = ()
    # Two tables that an earlier transaction locked one after the other, with the revision.
    orders: dict[tuple[str, str], str] = field(default_factory=dict)

    @property
    def is_new(self) -> bool:
        """Whether the table is of this revision, so that no request uses it."""
        return self.change.table in self.created

    @property
    def is_safe(self) -> bool:
        return self.call.style is Style.SAFE

    @property
    def table(self) -> Table:
        return self.schema.table(self.change.table)

    @property
    def declared(self) -> tuple[Constraint, ...]:
        """The constraints that the change declares, those of its columns included."""
        return (*self.change.constraints, *(one for each in self.change.columns for one in each.constraints))

    @property
    def is_new_column(self) -> bool:
        return self.is_new or (self.change.table, self.change.name) in self.added


@dataclass(frozen=True, kw_only=True)
class Whole:
    """A revision as a whole on one database, with the schema before it, after it, and after its downgrade."""

    revision: Revision
    database: str
    before: Schema
    after: Schema
    back: Schema
    places: tuple[Place, ...]
    # The places of the downgrade.
    undone: tuple[Place, ...] = ()
    # The modules of the models and, if a commit was given, the code of the file at that commit.
    model_modules: frozenset[str] = frozenset()
    was: str | None = None
    heads: tuple[str, ...] = ()


Found = Iterator[tuple[int, str]]
Judge = Callable[[Place], str | None]
Review = Callable[[Whole], Found]


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """A rule; `effect` is what users would feel, `versions` what differs between versions of PostgreSQL."""

    id: str
    level: Level
    family: Family
    effect: str
    advice: str
    databases: tuple[str, ...] = (PG,)
    versions: str = ""
    kinds: tuple[Kind, ...] = ()
    # Whether the rule is about safe operations too, and about downgrades.
    judges_safe: bool = False
    judges_downgrades: bool = False
    # Whether the rule claims that requests wait longer than for a change of the catalog.
    blocks: bool = False
    judge: Judge | None = None
    review: Review | None = None


RULES: dict[str, Rule] = {}


def _register(rule: Rule) -> None:
    if rule.id in RULES:
        raise ValueError(f"Two rules have the id {rule.id}.")
    RULES[rule.id] = rule


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """Decorators that register the rules of one family; the docstring of the function is the effect on users."""

    family: Family
    databases: tuple[str, ...] = (PG,)

    def on(
        self,
        *kinds: Kind,
        id: str,
        advice: str,
        level: Level = Level.ERROR,
        databases: tuple[str, ...] | None = None,
        versions: str = "",
        judges_safe: bool = False,
        blocks: bool | None = None,
        judges_downgrades: bool | None = None,
    ) -> Callable[[Judge], Judge]:
        """Register a rule about changes of these kinds; the function returns the fact that it finds."""

        def register(judge: Judge) -> Judge:
            _register(
                Rule(
                    id=id,
                    level=level,
                    family=self.family,
                    effect=_effect(judge),
                    advice=advice,
                    databases=databases or self.databases,
                    versions=versions,
                    kinds=kinds,
                    judges_safe=judges_safe,
                    judges_downgrades=self.family in _OF_DOWNGRADES if judges_downgrades is None else judges_downgrades,
                    blocks=self.family in (Family.LOCKS, Family.REWRITES) if blocks is None else blocks,
                    judge=judge,
                )
            )
            return judge

        return register

    def whole(
        self, *, id: str, advice: str, level: Level = Level.ERROR, databases: tuple[str, ...] | None = None
    ) -> Callable[[Review], Review]:
        """Register a rule about a revision as a whole; the function yields lines and facts."""

        def register(review: Review) -> Review:
            _register(
                Rule(
                    id=id,
                    level=level,
                    family=self.family,
                    effect=_effect(review),
                    advice=advice,
                    databases=databases or self.databases,
                    review=review,
                )
            )
            return review

        return register

    def declare(self, *, id: str, effect: str, advice: str, level: Level = Level.ERROR) -> Rule:
        """Register a rule whose findings come from elsewhere, such as a trace."""
        rule = Rule(id=id, level=level, family=self.family, effect=effect, advice=advice, databases=self.databases)
        _register(rule)
        return rule


def _effect(function: Callable[..., object]) -> str:
    return " ".join((getdoc(function) or "").split())
