from datetime import date

import pytest

from tests.migrate.proof.lint.conftest import Look

INDEX = "op.create_index('ix', 'books', ['title'])"
DROP = "op.drop_index('ix', 'books')"
GOOD = "# lint: ignore[index-blocks-writes] until 2027-03-01: no rows yet"
TODAY = date(2026, 11, 28)


@pytest.mark.parametrize(
    ("up", "expected"),
    [
        (INDEX, [(18, "index-blocks-writes")]),
        (f"{INDEX}  {GOOD}", []),
        (f"{GOOD}\n{INDEX}", []),
        (f"{GOOD}\n# and why\nop.create_index(\n    'ix',\n    'books', ['title'],\n)", []),
        (f"def build():\n    {INDEX}\n{GOOD}\nbuild()", []),
        (f"{GOOD}\n\n\n{INDEX}", []),
        (f"{INDEX}\n{GOOD}\n{DROP}", [(18, "index-blocks-writes"), (19, "unused-suppression")]),
        (f"{GOOD.replace('2027', '2026')}\n{INDEX}", [(18, "expired-suppression"), (19, "index-blocks-writes")]),
        (f"{GOOD.replace('03-01', '02-30')}\n{INDEX}", [(18, "malformed-suppression"), (19, "index-blocks-writes")]),
        (f"{GOOD[:-14]}\n{INDEX}", [(18, "malformed-suppression"), (19, "index-blocks-writes")]),
        (f"# lint: ignore[index-blocks-writes]\n{INDEX}", [(18, "malformed-suppression"), (19, "index-blocks-writes")]),
        (f"# lint: ignore\n{INDEX}", [(18, "malformed-suppression"), (19, "index-blocks-writes")]),
        (
            f"{GOOD.replace('-writes', '-reads')}\n{INDEX}",
            [(18, "malformed-suppression"), (19, "index-blocks-writes")],
        ),
        (f"x = '{GOOD}'\n{INDEX}", [(19, "index-blocks-writes")]),
    ],
)
def test_a_comment_suppresses_the_findings_of_its_call(look: Look, up: str, expected: list[tuple[int, str]]) -> None:
    assert look(up, DROP, today=TODAY, databases=("postgresql",)) == expected


def test_a_comment_may_name_several_rules(look: Look) -> None:
    comment = GOOD.replace("writes]", "writes, changes-many-rows]")
    up = f"{comment}\nfor run in (lambda: {INDEX}, lambda: op.execute('DELETE FROM books')): run()"
    assert look(up, DROP, today=TODAY, databases=("postgresql",)) == [(19, "irreversible-values")]


def test_the_last_day_counts(look: Look) -> None:
    up = f"{GOOD}\n{INDEX}"
    assert look(up, DROP, today=date(2027, 3, 1)) == []
    assert look(up, DROP, today=date(2027, 3, 2)) != []
