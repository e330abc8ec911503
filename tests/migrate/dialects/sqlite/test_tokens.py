import pytest

from service.migrate.dialects.sqlite.tokens import join, lowered, normal_form, tokenize

TRICKY = """CREATE TABLE "a ""b" (x'00', [c]]d], `e``f`, 'it''s -- no comment', -- a comment, with (
 g /* another; ' one */ NUMERIC(10, 2) DEFAULT -1.5e+3, ä€ß, h AS (g || ':x'))"""


def test_the_tokens_joined_again_are_the_text() -> None:
    assert join(tokenize(TRICKY)) == TRICKY


@pytest.mark.parametrize(
    ("sql", "name"),
    [('"a ""b"', 'a "b'), ("`a``b`", "a`b"), ("[a b]", "a b"), ("'a''b'", "a'b"), ("Ab", "ab"), ("(", "")],
)
def test_a_name_is_the_same_however_it_is_quoted(sql: str, name: str) -> None:
    assert [token.name for token in tokenize(sql)] == [name]


def test_names_are_folded_as_sqlite_folds_them() -> None:
    assert lowered("ÄBc") == "Äbc"


def test_two_definitions_that_mean_the_same_have_one_normal_form() -> None:
    one = 'CREATE TABLE "users" (\n\tid INTEGER, -- the key\n\t[Name] TEXT\n)'
    assert normal_form(one) == "CREATE TABLE users ( id INTEGER , [Name] TEXT )"
