"""Which alembic.ini is meant, and the revisions that it leads to."""

import os
import re
import time
import tomllib
from configparser import Error as NotAnIniFile
from copy import copy
from os import PathLike
from pathlib import Path
from typing import Any

from alembic.config import Config
from alembic.script import ScriptDirectory
from alembic.util import CommandError

from service.migrate import naming
from service.migrate.errors import Refused, Unusable
from service.migrate.plan.files import Signature, check, signature

# A path of alembic.ini or pyproject.toml, or Alembic's own object.
Source = str | PathLike[str] | Config

_INI, _TOML = "alembic.ini", "pyproject.toml"
# [tool.alembic], [[tool.alembic.post_write_hooks]], alembic = {…} and alembic.script_location = … in any quotes.
_KEY = re.compile(r"""tool["'\s]*\.["'\s]*alembic|(?:^|[{,])[\s"']*alembic["'\s]*[.=]""")
# A file system may give two writes within this time the same modification time.
_TICK_NANOSECONDS = 20_000_000
# What was read, by alembic.ini and the working folder, to which the ini file's paths may be relative.
_known: dict[tuple[Path, Path], tuple[Signature, ScriptDirectory]] = {}


def configuration(source: Source | None = None, **attributes: Any) -> Config:
    """Return the configuration that `source` names; env.py reads the attributes.

    `url` or `connection` says where, `report` is called with a sentence per event and `watch` with the progress of a
    backfill, `lock_wait_seconds` bounds the wait for another migrator, `wait_limits` (a `WaitLimits`) those for locks
    of tables, and the ids of revisions done are appended to `done`.

    Raises:
        Unusable: see `configuration_file`; or the file cannot be read.
    """
    if isinstance(source, Config):
        made = copy(source)
        made.attributes = {**source.attributes, **attributes}
        return made
    file = configuration_file(source)
    ini, toml = (file.with_name(_INI), file) if file.suffix == ".toml" else (file, file.with_name(_TOML))
    # Alembic would parse a pyproject.toml that has nothing for it, too.
    is_read = toml == file or _may_configure(toml)
    return Config(ini if ini.exists() else None, toml if is_read else None, attributes=attributes)


def configuration_file(source: str | PathLike[str] | None = None) -> Path:
    """The file that was named, else that of `naming.use_files`, else $ALEMBIC_CONFIG, else the working folder's.

    Raises:
        Unusable: there is no such file.
    """
    if source is not None:
        return _existing(Path(source), "Name the project's alembic.ini")
    if found := naming.file():
        return found
    if named := os.environ.get("ALEMBIC_CONFIG"):
        return _existing(Path(named), "Correct ALEMBIC_CONFIG")
    if Path(_INI).exists():
        return Path(_INI)
    if _is_alembic_s(Path(_TOML)):
        return Path(_TOML)
    raise Unusable(f"There is no {_INI} in {Path.cwd()}. Name the file, or run this in the folder that holds it.")


def scripts(source: Source | None = None) -> ScriptDirectory:
    """The revisions of the configuration; those of a file are read again only after a change of the files.

    Raises:
        Unusable: see `configuration`.
        Refused: a revision is broken.
    """
    if isinstance(source, Config):
        return _read(source)
    file = configuration_file(source).absolute()
    known = _known.get(key := (file, Path.cwd()))
    if known and known[0] == _signature(file, known[1]):
        return known[1]
    began = time.time_ns()
    directory = _read(configuration(file))
    found = _signature(file, directory)
    if max(each.modified for each in found) < began - _TICK_NANOSECONDS:
        _known[key] = found, directory
    return directory


def forget() -> None:
    """Read the revisions again at the next use, even if no file has changed."""
    _known.clear()


def _signature(file: Path, directory: ScriptDirectory) -> Signature:
    return signature(directory, [file.with_name(_INI), file.with_name(_TOML), file])


def _read(config: Config) -> ScriptDirectory:
    file = config.config_file_name or config.toml_file_name
    try:
        directory = ScriptDirectory.from_config(config)
    except (NotAnIniFile, tomllib.TOMLDecodeError, UnicodeDecodeError) as failure:
        raise Unusable(f"{file} cannot be read: {' '.join(str(failure).split())}.") from failure
    except Refused:
        raise
    except CommandError as failure:
        raise Unusable(f"{file}: {str(failure).rstrip('.')}.") from failure
    check(directory)
    return directory


def _existing(file: Path, cure: str) -> Path:
    if not file.is_file():
        raise Unusable(f"There is no file {file}. {cure}.")
    return file


def _may_configure(toml: Path) -> bool:
    if not toml.exists():
        return False
    text = toml.read_text(encoding="utf-8", errors="replace")
    return any(_KEY.search(line) for line in text.splitlines() if "alembic" in line)


def _is_alembic_s(file: Path) -> bool:
    return file.exists() and "[tool.alembic" in file.read_text(encoding="utf-8", errors="replace")
