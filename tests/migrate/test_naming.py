import re
from collections.abc import Iterator

import pytest

from service.db.urls import parse_url
from service.migrate import naming
from service.migrate.dialects.sqlite.mirror_table import trigger_name
from service.migrate.errors import Refused, refusing
from service.migrate.naming import Naming
from service.migrate.plan.config import scripts
from service.migrate.plan.plan import plan
from service.naming import ROSTER


@pytest.fixture
def library() -> Iterator[None]:
    """The names of another project, for one test."""
    naming.use(Naming(prefix="library_", application="library", command="library db"))
    yield
    naming.use(ROSTER)


def test_the_names_in_roster_s_databases_stay_as_they_were() -> None:
    assert naming.lock_key() == 0x526F73746572
    assert naming.owned("sync_users_email") == "roster_sync_users_email"


@pytest.mark.usefixtures("library")
def test_another_project_has_names_of_its_own() -> None:
    assert naming.lock_key() == int.from_bytes(b"Library", "big")
    assert trigger_name("books", "insert") == "library_twin_books_insert"
    with pytest.raises(Refused) as refused, refusing(parse_url("postgresql://u@h/books")):
        raise ConnectionRefusedError
    assert "roster" not in str(refused.value).lower()


def test_a_plan_has_the_names_that_are_set_when_it_is_made(library: None) -> None:
    def triggers() -> set[str]:
        found = plan(scripts().get_revision("0008_fold_users"), "postgresql")
        assert found is not None
        return set(re.findall(r"\b(?:library|roster)_(?=\w)", repr(found)))

    before = triggers()
    naming.use(ROSTER)
    assert (before, triggers()) == ({"library_"}, {"roster_"})
