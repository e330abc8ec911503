import re
from pathlib import Path

import asyncpg
from sqlalchemy import make_url

from tests.docs.consoles import Session, steps
from tests.project.files import read

PAGE = read("docs/postgresql.md")
_NAME = "roster_five_minutes"


def _own(text: str) -> str:
    """The text with a role and a database that no other test has."""
    return re.sub(r"\b(ROLE|DATABASE|OWNER) roster\b", rf"\1 {_NAME}", text)


async def test_the_page_leads_from_a_server_to_a_database_at_head(postgres_admin_url: str, tmp_path: Path) -> None:
    admin = make_url(postgres_admin_url)
    (sql,) = re.findall(r"```sql\n(.*?)```", PAGE, re.DOTALL)
    shown = list(steps(PAGE))
    url = make_url(shown[0].command.partition("=")[2])
    own = admin.set(drivername="postgresql", username=_NAME, password=url.password, database=_NAME)
    server = await asyncpg.connect(admin.set(drivername="postgresql").render_as_string(hide_password=False))
    try:
        for statement in filter(None, _own(sql).splitlines()):
            await server.execute(statement)
        session = Session(tmp_path, ROSTER_DATABASE_URL=own.render_as_string(hide_password=False))
        for step in shown[1:]:
            output = session.run(f"{step.command} && echo good")
            assert output.endswith("good\n"), f"$ {step.command}\n{output}"
    finally:
        await server.execute(f"DROP DATABASE IF EXISTS {_NAME}")
        await server.execute(f"DROP ROLE IF EXISTS {_NAME}")
        await server.close()
