import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import schemathesis
from schemathesis.core.result import Ok
from schemathesis.python.asgi import shutdown_lifespans
from sqlalchemy.ext.asyncio import AsyncSession

from service.app import create_app
from service.models import Token, User
from service.passwords.actions import set_password
from service.settings import Settings
from tests.callers import add_caller, elsewhere
from tests.cli.servers import serving
from tests.conftest import copy_of, serving_in_process
from tests.http.examiner import CALLER_ID, EMAIL, PASSWORD, Findings, config, examine

# Drawn for each operation, from another seed on the other database.
EXAMPLES = 4
# Chance seldom finds both ends of a link that still stands, and never the code of the setup URL or the token of a
# password link. The caller's token is no session that could end.
SELDOM_DONE = {
    "POST /v1/setup",
    "POST /v1/password-links",
    "DELETE /v1/sessions/current",
    "DELETE /v1/departments/{department_id}/employees/{employee_id}",
    "DELETE /v1/employees/{employee_id}/departments/{department_id}",
}


@pytest.fixture
def in_process() -> Iterator[None]:
    """Schemathesis keeps one event loop for the application: close its database connections here."""
    yield
    shutdown_lifespans()


@pytest.mark.slow
async def test_every_check_holds_in_process_on_sqlite(
    sqlite_template_url: str, in_process: None, tmp_path: Path
) -> None:
    url = copy_of(sqlite_template_url, tmp_path)
    token = await token_of_an_administrator(url)
    app = create_app(Settings(database_url=url, allowed_hosts=("testserver",)))
    schema = schemathesis.openapi.from_asgi("/openapi.json", app, config=config(examples=EXAMPLES, seed=1, token=token))
    judge(examine(schema), schema)


@pytest.mark.slow
async def test_every_check_holds_over_http_on_postgresql(fresh_postgres_url: str, tmp_path: Path) -> None:
    token = await token_of_an_administrator(fresh_postgres_url)
    with serving(fresh_postgres_url, tmp_path / "log", executable=sys.executable) as (base, _):
        # An invalid request is refused before a database is asked: the test above has those.
        configuration = config(examples=EXAMPLES, seed=2, token=token, mode="positive")
        schema = schemathesis.openapi.from_url(f"{base}/openapi.json", config=configuration)
        judge(examine(schema), schema)


async def token_of_an_administrator(url: str) -> str:
    """The service asks for tokens then, and Schemathesis also checks what it answers to others.

    The examiner keeps this user, their role and their token from being deleted.
    """
    async with serving_in_process(url) as roster:
        password_hash = await roster.passwords.hash(PASSWORD)
        await roster.database.units.run(lambda session: _add_user(session, password_hash))
        caller = await add_caller(roster, "admin", user_id=CALLER_ID)
        await elsewhere(roster, Token, caller.token_id, id=CALLER_ID)
        return caller.token


async def _add_user(session: AsyncSession, password_hash: str) -> None:
    session.add(User(id=CALLER_ID, name="Admin", email=EMAIL))
    await session.flush()
    await set_password(session, CALLER_ID, password_hash)


def judge(findings: Findings, schema: schemathesis.BaseSchema) -> None:
    assert not findings.failures, "\n".join(findings.failures[:20])
    described = {result.ok().label for result in schema.get_all_operations() if isinstance(result, Ok)}
    # A run in which nothing ever worked would have nothing to say.
    assert described - findings.done() <= SELDOM_DONE
