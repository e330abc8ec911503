from pathlib import Path

import pytest

from tests.cli.servers import serving
from tests.docs.consoles import Session, steps
from tests.project.files import read

pytestmark = pytest.mark.slow


def test_three_dots_stand_for_anything_and_alone_for_any_lines() -> None:
    step = next(steps('```console\n$ say \\\n>   it\n{…"id":1,…}\n…\nend\n```\n'))
    assert step.command == "say \\\n  it"
    assert step.is_met_by('{"a":2,"id":1,"b":3}\nx\n\ny\nend\n')
    assert step.is_met_by('{"id":1,}\nend\n')
    assert not step.is_met_by('{"a":2,"id":1}\nend\n')
    assert not step.is_met_by('{"id":1,}\nend\nmore\n')


async def test_every_command_of_the_page_answers_as_shown(fresh_url: str, tmp_path: Path) -> None:
    with serving(fresh_url, tmp_path / "log") as (base, _):
        session = Session(HOME=str(tmp_path), ROSTER_DATABASE_URL=fresh_url)
        shown = list(steps(read("docs/api.md").replace("http://127.0.0.1:8000", base)))
        assert len(shown) > 30
        for step in shown:
            output = session.run(step.command)
            assert step.is_met_by(output), f"docs/api.md:{step.line}: $ {step.command}\n{output}"
