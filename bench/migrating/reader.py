"""A session that reads users in long transactions, until stdin is closed."""

import asyncio
import sys

import asyncpg

_PAUSE_SECONDS = 0.5


async def read(url: str, seconds: float) -> None:
    connection = await asyncpg.connect(url, server_settings={"application_name": "a long report"})
    ended = asyncio.ensure_future(asyncio.to_thread(sys.stdin.read))
    while not ended.done():
        async with connection.transaction():
            await connection.fetchval("SELECT id FROM users LIMIT 1")
            await asyncio.wait([ended], timeout=seconds)
        await asyncio.wait([ended], timeout=_PAUSE_SECONDS)
    await connection.close()


if __name__ == "__main__":
    asyncio.run(read(sys.argv[1], float(sys.argv[2])))
