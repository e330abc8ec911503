"""Schemathesis, imported by the process that runs these tests alone: the import takes half a second."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from service.app import create_app
from service.settings import Settings
from tests.cli.servers import serving
from tests.conftest import copy_of

# Drawn for each operation, beside those that Schemathesis derives from the description; another seed on each database.
EXAMPLES = {"sqlite": 2, "postgresql": 4}


# The cheapest hash that the service takes: many examples wait for one.
HASH_KIB = 7_168


@pytest.fixture(autouse=True)
def _no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    """Else the client of Schemathesis looks through all variables for a proxy, three times for each example."""
    monkeypatch.setenv("NO_PROXY", "testserver,127.0.0.1")


@pytest.fixture
def in_process() -> Iterator[None]:
    """Schemathesis keeps one event loop for the application: close its database connections here."""
    yield
    from schemathesis.python.asgi import shutdown_lifespans

    shutdown_lifespans()


@pytest.mark.slow
async def test_every_check_holds_in_process_on_sqlite(
    sqlite_template_url: str, in_process: None, tmp_path: Path
) -> None:
    import schemathesis

    from tests.http import examiner

    url = copy_of(sqlite_template_url, tmp_path)
    token = await examiner.token_of_an_administrator(url)
    app = create_app(
        Settings(
            database_url=url,
            allowed_hosts=("testserver",),
            argon2_memory_kib=HASH_KIB,
            argon2_iterations=1,
            log_level="warning",
        )
    )
    configuration = examiner.config(examples=EXAMPLES["sqlite"], seed=1, token=token)
    examiner.judge(schemathesis.openapi.from_asgi("/openapi.json", app, config=configuration))


@pytest.mark.slow
async def test_every_check_holds_over_http_on_postgresql(fresh_postgres_url: str, tmp_path: Path) -> None:
    import schemathesis

    from tests.http import examiner

    token = await examiner.token_of_an_administrator(fresh_postgres_url)
    settings = {
        "ROSTER_ARGON2_MEMORY_KIB": str(HASH_KIB),
        "ROSTER_ARGON2_ITERATIONS": "1",
        "ROSTER_LOG_LEVEL": "warning",
    }
    with serving(fresh_postgres_url, tmp_path / "log", **settings) as (base, _):
        # An invalid request is refused before a database is asked: the test above has those.
        configuration = examiner.config(examples=EXAMPLES["postgresql"], seed=2, token=token, mode="positive")
        examiner.judge(schemathesis.openapi.from_url(f"{base}/openapi.json", config=configuration))
