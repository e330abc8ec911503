from unicodedata import normalize

import httpx
from hypothesis import example, given
from hypothesis import strategies as st

from service.db.folding import FOLDED_LENGTH, fold, fold_all
from tests.conftest import Make
from tests.examples import a_few, any_load

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=60)
NAMES = [
    "ann",
    "Ánn",
    "ANN b",
    "Zoë",
    "zoe",
    "Ärger",
    "ärger",
    "straße",
    "STRASSE",
    "ﬃx",
    "İstanbul",
    "日本",
    "\U0001f3b5",
    "~",
    "_",
    "9",
    "Ωmega",
    "ǅ",
]


@any_load
@given(st.lists(texts, max_size=5))
@example([])
@example(["A\nB", "C"])
@example(["A" * 400, "B" * 600])
@example(["A" * 600, "Ä" * 600])
def test_folding_many_is_folding_each(several: list[str]) -> None:
    assert fold_all(several) == [*map(fold, several)]


@any_load
@given(texts)
@example("ͅΑ")
@example("İ")
@example("ﬀ" * FOLDED_LENGTH)
@example("a" * (FOLDED_LENGTH - 1) + "ﷺ")
def test_folding_again_changes_nothing(text: str) -> None:
    assert fold(fold(text)) == fold(text)


@any_load
@given(texts)
def test_a_key_has_no_case_and_no_form(text: str) -> None:
    spellings = [text.casefold(), *(normalize(form, text) for form in ("NFC", "NFD", "NFKC", "NFKD"))]
    assert {fold(each) for each in spellings} == {fold(text)}


@a_few
@given(st.text(min_size=1, max_size=20))
def test_a_key_fits_its_column_and_its_index(text: str) -> None:
    # Longer than the key even where four characters fold to one.
    key = fold(text * (4 * FOLDED_LENGTH // len(text) + 1))
    assert len(key) <= FOLDED_LENGTH
    assert len(key.encode("utf-8", "surrogatepass")) < 2704


def test_different_spellings_are_one_key() -> None:
    for one, other in [("STRASSE", "straße"), ("Å", "Å"), ("ﬁ", "FI"), ("Σ", "ς"), ("①", "1")]:
        assert fold(one) == fold(other)


async def test_keys_are_ordered_by_their_bytes_on_both_databases(client: httpx.AsyncClient, make: Make) -> None:
    for name in NAMES:
        await make("users", name=name)
    up = await client.get("/v1/users?sort=name&limit=200")
    down = await client.get("/v1/users?sort=-name&limit=200")
    keys = [fold(user["name"]) for user in up.json()["items"]]
    assert keys == sorted((fold(name) for name in NAMES), key=str.encode)
    assert [user["id"] for user in down.json()["items"]] == [user["id"] for user in reversed(up.json()["items"])]
