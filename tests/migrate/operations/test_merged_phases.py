"""The phases of a sequence of operations as one value."""

from service.migrate.operations.base import Phases, merged
from service.migrate.operations.step import Backfill, Precondition, Step

MAKES_TABLE = Phases(creates=frozenset({"t"}), provides=(("t", ("id", "a")),))
MAKES_COLUMN = Phases(requires=(("u", ()),), provides=(("u", ("a",)),))


def check(table: str, *needs: str) -> Precondition:
    return Precondition(why=f"rows of {table}", rows="SELECT 1", table=table, needs=needs)


def step(title: str) -> Step:
    return Step(title=title)


def test_nothing_merged_is_nothing() -> None:
    assert merged([]) == Phases()
    assert merged([Phases(), MAKES_TABLE]) == MAKES_TABLE


def test_steps_stay_in_the_order_of_the_calls() -> None:
    one = Phases(expand=(step("1"),), contract=(step("3"),))
    both = one.then(Phases(expand=(step("2"),), contract=(step("4"),)))
    assert [each.title for each in (*both.expand, *both.contract)] == ["1", "2", "3", "4"]


def test_a_table_made_before_is_not_required() -> None:
    assert MAKES_TABLE.then(Phases(requires=(("t", ("a",)), ("u", ("b",))))).requires == (("u", ("b",)),)


def test_a_column_made_before_is_not_required() -> None:
    assert MAKES_COLUMN.then(Phases(requires=(("u", ("a", "b")),))).requires == (("u", ()), ("u", ("b",)))


def test_what_was_made_before_is_not_checked() -> None:
    after = Phases(preconditions=(check("t"), check("u", "a"), check("u", "b"), check("u")))
    assert MAKES_TABLE.then(MAKES_COLUMN).then(after).preconditions == (check("u", "b"), check("u"))


def test_a_later_check_ignores_what_was_dropped_before() -> None:
    drops = Phases(frees=frozenset({"the index IX"}), preconditions=(check("t"),))
    first, second = drops.then(Phases(preconditions=(check("t"),))).preconditions
    assert (first.ignoring, second.ignoring) == (frozenset(), frozenset({"the index IX"}))


def test_a_refilled_column_is_not_checked_on_the_way_down() -> None:
    refill = Backfill(name="f", table="t", left="true", assign={"a": "1"}, write=("b",))
    checks = (check("t", "a"), check("t", "b"), check("t", "c"), check("u", "a"))
    assert Phases(refills=(refill,)).without_refilled(checks) == checks[2:]


def test_one_removal_marks_the_whole() -> None:
    assert merged([Phases(), Phases(removes=True), Phases()]).removes
