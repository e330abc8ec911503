import asyncio
import os
import shutil
import signal
import tempfile
import textwrap
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import asyncpg
import pytest

from service.migrate.errors import Unusable
from service.migrate.proof.server import first_error
from tests.postgres import Server, create_database, drop_database, ephemeral_server, fresh_database, unprivileged
from tests.programs import started


async def fetch(url: str, query: str) -> object:
    connection = await asyncpg.connect(url)
    try:
        return await connection.fetchval(query)
    finally:
        await connection.close()


def test_the_reason_of_a_server_that_does_not_start_is_its_first_error() -> None:
    full = 'initdb: error: could not write to file: No space left on device\ninitdb: removing data directory "data"\n'
    assert first_error(full) == "initdb: error: could not write to file: No space left on device"
    assert first_error("child process exited\n\n") == "child process exited"
    assert first_error("") == "it printed nothing"


def test_a_folder_that_only_root_may_enter_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    monkeypatch.setattr(tempfile, "tempdir", str(closed))
    with ExitStack() as stack:
        if unprivileged():
            stack.enter_context(pytest.raises(Unusable, match=r"may not enter .*closed: set TMPDIR to"))
        with ephemeral_server() as server:
            assert server.accepts()
    assert list(closed.iterdir()) == []


async def test_every_database_is_new_empty_and_utf8(postgres_admin_url: str) -> None:
    tables = "SELECT count(*) FROM information_schema.tables WHERE table_schema = 'public'"
    async with fresh_database(postgres_admin_url, "one") as one, fresh_database(postgres_admin_url, "one") as other:
        assert one != other
        await fetch(one, "CREATE TABLE t ()")
        assert [await fetch(url, tables) for url in (one, other)] == [1, 0]
        assert await fetch(one, "SHOW server_encoding") == "UTF8"


async def test_a_dropped_database_is_gone_though_someone_was_connected(postgres_admin_url: str) -> None:
    url = await create_database(postgres_admin_url, "dropped")
    connection = await asyncpg.connect(url)
    await drop_database(postgres_admin_url, url)
    # asyncpg reads first why the server ended the session, and then that it is closed.
    while not connection.is_closed():
        await asyncio.sleep(0.001)
    with pytest.raises(asyncpg.InvalidCatalogNameError):
        await asyncpg.connect(url)


async def test_a_private_server_comes_back_on_its_port_with_its_rows(private_postgres: Server) -> None:
    url = private_postgres.url
    await fetch(url, "CREATE TABLE kept AS SELECT 7 AS n")
    private_postgres.stop()
    with pytest.raises(OSError, match="Connect"):
        await asyncpg.connect(url)
    private_postgres.start()
    assert await fetch(url, "SELECT n FROM kept") == 7


def test_a_version_that_is_not_installed_names_the_option_for_a_server() -> None:
    expected = r"^PostgreSQL 9 is not installed, but .* or pass with --server the URL of a server "
    with pytest.raises(Unusable, match=expected), ephemeral_server(version=9):
        pass


async def test_a_private_server_can_be_killed_and_started_again(private_postgres: Server) -> None:
    connection = await asyncpg.connect(private_postgres.url)
    backend = connection.get_server_pid()
    # A process that has outlived the postmaster keeps the next one from starting.
    os.kill(backend, signal.SIGSTOP)
    os.kill(private_postgres.pid, signal.SIGKILL)
    asyncio.get_running_loop().call_later(0.1, os.kill, backend, signal.SIGCONT)
    await asyncio.to_thread(private_postgres.stop)
    connection.terminate()
    # Not what the backend wrote about its end.
    with pytest.raises(Unusable, match='invalid value for parameter "max_connections"'):
        replace(private_postgres, settings={"max_connections": "many"}).start()
    private_postgres.start()
    assert await fetch(private_postgres.url, "SHOW max_connections") == "200"


@pytest.mark.slow
async def test_the_server_is_gone_when_the_tests_are_killed() -> None:
    program = """
        import time
        from tests.postgres import ephemeral_server
        with ephemeral_server() as server:
            print(server.port, server.folder, flush=True)
            time.sleep(600)
    """
    tests, output = started("-c", textwrap.dedent(program))
    with output:
        port, folder = (await asyncio.to_thread(output.readline)).split()
        tests.kill()
        tests.wait()
    async with asyncio.timeout(30):
        while await listens(int(port)):
            await asyncio.sleep(0.05)
    shutil.rmtree(folder)


async def listens(port: int) -> bool:
    try:
        _, writer = await asyncio.open_connection("127.0.0.1", port)
    except ConnectionError:
        return False
    writer.close()
    return True
