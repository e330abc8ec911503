"""The group of the migrator's commands: where they find their project, and what a failure looks like."""

import errno
from pathlib import Path
from typing import Any

import click

from service.migrate.cli import (
    backfill,
    contract,
    current,
    diagram,
    downgrade,
    drift,
    history,
    lint,
    plan,
    purge,
    rehearse,
    report,
    revision,
    status,
    upgrade,
    verify,
)
from service.migrate.cli.options import Target
from service.terminal.escapes import escaped

_CONFIG = "service.migrate.config"
# What a full disk, a folder that may not be written and a limit of the account are; other errors are faults of ours.
_OF_FILES = (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EPERM, errno.ENOTDIR, errno.EMFILE)
_COMMANDS = (
    upgrade.upgrade,
    downgrade.downgrade,
    current.current,
    history.history,
    revision.revision,
    status.status,
    backfill.backfill,
    contract.contract,
    purge.purge,
    diagram.diagram,
    drift.drift,
    verify.verify,
    lint.lint,
    rehearse.rehearse,
    plan.plan,
    report.report,
)


class Migrator(click.Group):
    """Commands about the database of the project that `config` names, as in `plan.config.configuration_file`.

    A subclass may find project and database in another way.
    """

    def __init__(self, *args: Any, config: Path | None = None, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._config = config
        for command in _COMMANDS:
            self.add_command(command)

    def target(self, context: click.Context, url: str | None) -> Target:
        """What a command is about; `url` is that of --database. The names of the project are set."""
        from service.migrate.entrypoints import project

        config = context.meta.get(_CONFIG, self._config)
        project.read(config)
        return Target(url=url, config=config)

    def invoke(self, context: click.Context) -> Any:
        """Run a command; a refusal becomes one sentence and exit status 1, misuse and a full disk exit status 2."""
        from service.migrate.errors import Refused

        try:
            return super().invoke(context)
        except Refused as refused:
            # The sentence may quote a file or a database, whose text must not steer the terminal.
            click.echo("Error: " + escaped(str(refused), keep="\n"), err=True)
            context.exit(exit_status(refused))
        except OSError as failure:
            if failure.errno not in _OF_FILES:
                raise
            where = failure.filename or "The output, or a file in the folder of TMPDIR,"
            click.echo(f"Error: {escaped(str(where))} cannot be written: {failure.strerror}.", err=True)
            context.exit(2)


def exit_status(refused: Exception) -> int:
    """1 for a finding, 2 for misuse."""
    from service.migrate.errors import Unknown, Unusable

    return 2 if isinstance(refused, (Unknown, Unusable)) else 1


def set_config(context: click.Context, config: Any) -> None:
    """Let the commands of this context be about the project of this configuration."""
    context.meta[_CONFIG] = config
