"""SQL and PL/pgSQL are cut into tokens, and names compared as PostgreSQL compares them."""

import pytest

from service.migrate.dialects.postgresql.tokens import tokenize


@pytest.mark.parametrize(
    ("sql", "names"),
    [
        ("SELECT City -- city2\n, b", ["select", "city", "b"]),
        ("a /* b /* c */ d */ e", ["a", "e"]),
        ("a /* never ends", ["a"]),
        ('"City" "a""b" U&"d\\0061t\\+000061" "é" É', ["City", 'a"b', "data", "é", "É"]),
        ("E'it\\'s b' 'a''b' U&'b' $$ b $$ $x$ b $$ c $x$ d", ["d"]),
        ("a$1 $1 b", ["a$1", "b"]),
        (f"{'x' * 70} {'é' * 40}", ["x" * 63, "é" * 31]),
        ("'never ends", []),
    ],
)
def test_names_are_folded_as_postgresql_does(sql: str, names: list[str]) -> None:
    assert [token.name for token in tokenize(sql) if token.name] == names


def test_the_value_of_a_string_is_without_its_quotes() -> None:
    found = [token.value for token in tokenize("'a''b' $q$c'd$q$ $$e$$ E'f' x")]
    assert found == ["a'b", "c'd", "e", "f", ""]
