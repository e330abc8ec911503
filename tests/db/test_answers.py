import msgspec
import pytest
from sqlalchemy.ext.asyncio import AsyncSession

from service.app import create_app
from service.errors import Malformed
from service.http.answers import Answer
from service.http.auth.permissions import PUBLIC
from service.http.unit import writes
from service.settings import Settings
from tests.conftest import client_of
from tests.db.conftest import checked_out
from tests.db.tables import Debt, Mark, count

pytestmark = pytest.mark.slow


class Stored(msgspec.Struct):
    id: int
    version: int = 1
    more: object = None


@writes("POST", "/good", permission=PUBLIC, summary="Stores a mark", status=201)
async def good(session: AsyncSession) -> Stored:
    session.add(Mark(text="good"))
    return Stored(1)


@writes("POST", "/flush", permission=PUBLIC, summary="Fails in the handler's own flush", status=201)
async def fails_at_flush(session: AsyncSession) -> Stored:
    session.add(Mark(text=None))
    await session.flush()
    return Stored(1)


@writes("POST", "/late-flush", permission=PUBLIC, summary="Fails in the flush after the handler", status=201)
async def fails_at_late_flush(session: AsyncSession) -> Stored:
    session.add(Mark(text=None))
    return Stored(1)


@writes("POST", "/commit", permission=PUBLIC, summary="Fails at COMMIT", status=201)
async def fails_at_commit(session: AsyncSession) -> Stored:
    session.add_all([Mark(text="beside"), Debt(mark_id=-1)])
    return Stored(1)


@writes("POST", "/raised", permission=PUBLIC, summary="Raises a 400 after a flush", status=201)
async def raises(session: AsyncSession) -> Stored:
    session.add(Mark(text="raised"))
    await session.flush()
    raise Malformed("This is not how it is asked.")


@writes("POST", "/returned", permission=PUBLIC, summary="Returns a 404 after a flush", status=201)
async def returns(session: AsyncSession) -> Answer:
    session.add(Mark(text="returned"))
    await session.flush()
    return Answer(b"{}", status=404)


@writes("POST", "/unserialisable", permission=PUBLIC, summary="Returns what JSON cannot say", status=201)
async def returns_no_json(session: AsyncSession) -> Stored:
    session.add(Mark(text="unserialisable"))
    await session.flush()
    return Stored(1, more=object())


@writes("POST", "/broken", permission=PUBLIC, summary="Fails in no foreseen way", status=201)
async def breaks(session: AsyncSession) -> Stored:
    session.add(Mark(text="broken"))
    await session.flush()
    raise ZeroDivisionError


HANDLERS = [good, fails_at_flush, fails_at_late_flush, fails_at_commit, raises, returns, returns_no_json, breaks]
STATUS_AND_STORED = {
    "/good": (201, 1),
    "/flush": (409, 0),
    "/late-flush": (409, 0),
    "/commit": (409, 0),
    "/raised": (400, 0),
    "/returned": (404, 0),
    "/unserialisable": (500, 0),
    "/broken": (500, 0),
}


async def test_only_what_is_answered_as_stored_is_stored(small_url: str) -> None:
    roster = create_app(Settings(database_url=small_url))
    for handler in HANDLERS:
        roster.litestar.register(handler)
    writing = roster.database.writing
    seen = {}
    async with client_of(roster) as client:
        for path in STATUS_AND_STORED:
            before = await count(writing, Mark)
            status = (await client.post(path)).status_code
            # Whatever was left on the connection would be stored with this one.
            assert (await client.post("/good")).status_code == 201
            seen[path] = (status, await count(writing, Mark) - before - 1)
            assert checked_out(writing) == 0
    assert seen == STATUS_AND_STORED
    assert await count(writing, Debt) == 0
    await roster.database.close()
