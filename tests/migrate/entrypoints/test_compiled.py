"""The engines of a process share compiled statements."""

from contextlib import closing

from sqlalchemy import create_engine, literal, select

from service.migrate.entrypoints import compiled
from service.migrate.entrypoints.compiled import SharedCompiled


def answers(cache: SharedCompiled, *values: int) -> list[int]:
    """The answer of a new engine for each value, which is a parameter of one statement."""
    found = []
    for value in values:
        engine = create_engine("sqlite://")
        with closing(engine.connect()) as connection:
            connection.execution_options(compiled_cache=cache)
            found.append(connection.execute(select(literal(value))).scalar_one())
        engine.dispose()
    return found


def test_a_statement_is_compiled_for_the_first_engine_alone() -> None:
    cache = SharedCompiled()
    assert answers(cache, 1, 2, 3) == [1, 2, 3]
    assert len(cache) == 1


def test_the_cache_is_bounded() -> None:
    cache = SharedCompiled()
    answers(cache, 1)
    (statement,) = cache.values()
    for number in range(2 * compiled.MOST):
        cache[number,] = statement
    assert len(cache) <= compiled.MOST
