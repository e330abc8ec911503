"""Whether a default has one value for all rows, so that PostgreSQL stores it in the catalog."""

from collections.abc import Mapping
from itertools import pairwise

from service.migrate.dialects.postgresql.tokens import tokenize

# Functions that are stable or immutable; of others the linter does not know, so that they count as volatile.
_STABLE = frozenset(
    (
        *(
            "now",
            "transaction_timestamp",
            "statement_timestamp",
            "current_setting",
            "current_database",
            "lower",
            "upper",
        ),
        *(
            "coalesce",
            "nullif",
            "concat",
            "length",
            "date_trunc",
            "make_interval",
            "to_timestamp",
            "to_date",
            "timezone",
        ),
        *("md5", "sha256", "abs", "round", "floor", "ceil", "trim", "left", "right", "substr", "substring", "replace"),
        *(
            "json_build_object",
            "jsonb_build_object",
            "jsonb_build_array",
            "to_jsonb",
            "to_json",
            "array",
            "cast",
            "row",
        ),
        *("txid_current", "pg_current_xact_id", "greatest", "least", "extract", "date_part", "age", "encode", "decode"),
        *("to_char", "to_number", "string_to_array", "numrange", "tsrange", "make_date", "make_timestamp", "make_time"),
        *("char_length", "octet_length", "position", "format", "int4range", "tstzrange", "daterange", "int8range"),
    )
)
# Types with a length, and words before a parenthesis, are no functions.
_NOT_FUNCTIONS = frozenset(
    (
        *("varchar", "char", "numeric", "decimal", "character", "varying", "timestamp", "timestamptz", "time", "bit"),
        *("and", "or", "not", "in", "as", "case", "when", "then", "else", "interval", "current_timestamp"),
    )
)


def is_volatile(expression: str, functions: Mapping[str, str]) -> bool:
    """Whether the default may have another value in each row; `functions` are those that the history creates."""
    tokens = list(tokenize(expression))
    for token, behind in pairwise(tokens):
        if behind.text != "(" or not token.name or token.keyword in _NOT_FUNCTIONS:
            continue
        if token.name in functions:
            words = {each.keyword for each in tokenize(functions[token.name])}
            if words.isdisjoint(("stable", "immutable")):
                return True
        elif token.name not in _STABLE:
            return True
    return False
