"""A foreign session whose transactions have read the tables and stay open.

`python -m service.migrate.proof.rehearse.reader URL SECONDS TABLE…` reads the tables, which are given in quotation
marks, again and again until its standard input is closed. It imports no SQLAlchemy, since each phase starts a reader.
"""

import asyncio
import sys

import asyncpg

from service.migrate.proof.rehearse import child
from service.migrate.proof.rehearse.messages import Begun

_PAUSE_SECONDS = 0.2


async def read(url: str, seconds: float, tables: list[str]) -> None:
    connection = await asyncpg.connect(url, server_settings={"application_name": "a long report"})
    ended = asyncio.ensure_future(asyncio.to_thread(sys.stdin.buffer.read))
    is_told = False
    while not ended.done():
        async with connection.transaction():
            for table in tables:
                await connection.execute(f"SELECT FROM {table} LIMIT 1")
            if not is_told:
                child.answer(Begun())
                is_told = True
            await asyncio.wait([ended], timeout=seconds)
        await asyncio.wait([ended], timeout=_PAUSE_SECONDS)
    await connection.close()


if __name__ == "__main__":
    asyncio.run(read(sys.argv[1], float(sys.argv[2]), sys.argv[3:]))
