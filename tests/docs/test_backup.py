from pathlib import Path

import pytest

from tests.docs.consoles import Session, section, steps
from tests.postgres import client_programs
from tests.project.files import read

pytestmark = pytest.mark.slow


async def test_the_commands_of_backup_and_restore_give_what_is_shown(fresh_url: str, tmp_path: Path) -> None:
    session = Session(tmp_path, ROSTER_DATABASE_URL=fresh_url)
    for step in steps(section(read("docs/operations.md"), "Backup and restore")):
        output = session.run(f"PATH={client_programs()}:$PATH; {step.command}")
        assert step.is_met_by(output), f"line {step.line}: $ {step.command}\n{output}"
