"""What a refusal shows of the rows that it found."""

import pytest

from service.migrate.errors import Refused
from service.migrate.operations.preconditions import refuse_rows
from service.migrate.operations.step import Precondition
from tests.migrate.memory import in_memory


def test_a_refusal_shows_empty_and_missing_values() -> None:
    rows = "SELECT '' AS name, 1 AS id UNION ALL SELECT NULL, 2 UNION ALL SELECT ' ', 3 UNION ALL SELECT 'Bob', 4"
    with in_memory() as connection, pytest.raises(Refused) as refusal:
        refuse_rows(connection, Precondition(why="Some names are not usable", rows=rows))
    assert str(refusal.value) == "Some names are not usable (4): '', 1; NULL, 2; ' ', 3; Bob, 4."
