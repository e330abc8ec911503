"""SQL of which the text does not tell what it does."""

from service.migrate.proof.finding import Level
from service.migrate.proof.lint.rule import PG, SQLITE, Family, Place, Rules
from service.migrate.proof.lint.sql.bodies import unqualified
from service.migrate.proof.lint.sql.change import Kind

rules = Rules(family=Family.HISTORY, databases=(PG, SQLITE))
# Functions of PostgreSQL and of SQLite that a revision calls for what they do, or whose value it asks for.
_KNOWN = frozenset(
    (
        *("setval", "nextval", "currval", "lastval", "set_config", "current_setting", "now", "count", "max", "min"),
        *("sum", "coalesce", "exists", "to_regclass", "version", "random", "format", "concat", "array_agg", "in"),
        *("string_agg", "lower", "upper", "clock_timestamp", "date_trunc", "cast", "json_agg", "jsonb_agg", "and"),
        *("create_hypertable", "changes", "total_changes", "last_insert_rowid", "sqlite_version", "or", "not", "as"),
        *("lo_unlink", "lo_create", "has_table_privilege", "obj_description", "col_description", "length", "nullif"),
    )
)
# How the names of PostgreSQL's own functions begin.
_FAMILIES = ("pg_", "json", "to_", "txid_", "has_", "current_", "date_", "regexp_", "array_", "gen_random_", "lo_")


@rules.on(
    Kind.OPAQUE,
    Kind.SELECT,
    Kind.CALL,
    id="opaque-sql",
    level=Level.WARNING,
    judges_downgrades=True,
    advice="Write the statement out, or run the revision with --trace, which reads its locks from a server",
)
def opaque_sql(at: Place) -> str | None:
    """Locks, rewrites and losses of this SQL are not known: its text is built at run time, or stands elsewhere."""
    if at.change.kind is Kind.OPAQUE:
        built = at.change.name == "execute"
        return (
            f"{_shown(at)} {'runs a text that is built at run time' if built else 'is no statement that can be read'}"
        )
    # A query of tables is no call: its functions have values.
    names = at.change.names[:1] if not at.change.table else ()
    known = _KNOWN | unqualified(at.schema).keys()
    unknown = [each for each in names if not each.startswith(_FAMILIES) and each not in known]
    return f"No revision creates the function {unknown[0]}, which {_shown(at)} runs" if unknown else None


def _shown(at: Place) -> str:
    text = " ".join(at.change.text.split())
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"


_LONGEST = 60
