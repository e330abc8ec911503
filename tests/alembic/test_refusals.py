"""Rows that a revision cannot convert are named before anything changes."""

import pytest

from service.migrate.entrypoints.aio import backfill, current, downgrade, upgrade
from service.migrate.errors import Refused
from tests.alembic.catalog import catalog
from tests.alembic.store import Store

pytestmark = pytest.mark.slow

CASES = {
    "addresses that differ in case only": (
        "0007",
        "0008",
        [
            f"INSERT INTO users (name, email) VALUES ('x', '{email}')"
            for email in ("A@b.c", "e@f", "a@B.c", "É@f", "é@f")
        ],
        "Some addresses differ in case only, and each can belong to one user (4): A@b.c; a@B.c; É@f; é@f.",
    ),
    "departments of one name": (
        "0010",
        "0011",
        [f"INSERT INTO departments (name) VALUES ('{name}')" for name in ("Straße", "HR", "STRASSE")],
        "Some departments have one name, or names that differ in case only (2): Straße; STRASSE.",
    ),
    "employees in no department": (
        "0006",
        "0005",
        ["INSERT INTO employees (id, name) VALUES (7, 'Ann')"],
        "Before this revision every employee was in a department, and some are in none (1): 7, Ann.",
    ),
    "titles that are too long": (
        "0016",
        "0015",
        [
            "INSERT INTO records (id, title, title_key, date_created) "
            f"VALUES ({n}, '{'ü' * length}', 'x', '2026-01-01 00:00:00')"
            for n, length in enumerate((100, 101, 101, 101, 101, 101, 101), start=1)
        ],
        "Before this revision a title had at most 100 characters, and some are longer (6): "
        + "; ".join(f"{n}, {'ü' * 101}" for n in range(2, 7))
        + "; ….",
    ),
}


@pytest.mark.parametrize("case", CASES)
async def test_rows_that_cannot_be_carried_over_are_told_and_nothing_changes(store: Store, case: str) -> None:
    at, to, statements, sentence = CASES[case]
    await upgrade(store.url, at)
    for statement in statements:
        await store.execute(statement)
    before = await catalog(store), await current(store.url)
    with pytest.raises(Refused) as refused:
        await (upgrade if to > at else downgrade)(store.url, to)
    assert str(refused.value) == sentence
    assert (await catalog(store), await current(store.url)) == before


async def test_keys_are_folded_in_python_beyond_ascii_and_beyond_one_batch(store: Store, backend: str) -> None:
    await upgrade(store.url, "0007")
    series = {
        "sqlite": "WITH RECURSIVE s (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM s WHERE n < 4001)",
        "postgresql": "WITH s AS (SELECT n FROM generate_series(1, 4001) AS n)",
    }[backend]
    await store.execute(f"{series} INSERT INTO users (name, email) SELECT 'STRASSE ß Å ﬁ', 'Ü' || n || '@X' FROM s")
    await upgrade(store.url, "0008")
    await backfill(store.url)
    rows = await store.execute("SELECT name_key, email_key FROM users ORDER BY id")
    assert {row["name_key"] for row in rows} == {"strasse ss å fi"}
    assert [row["email_key"] for row in rows] == [f"ü{n}@x" for n in range(1, 4002)]
