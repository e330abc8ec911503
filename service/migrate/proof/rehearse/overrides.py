"""The traffic file: what a rehearsal cannot know of a service, as TOML."""

import tomllib
from pathlib import Path
from typing import Any

import msgspec

from service.migrate.errors import Unusable

NAME = "rehearse.toml"
INSTALL = "{python} -m pip install --quiet {folder}"


class Overrides(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`serve` and `install` are commands; `rows` counts by table, `columns` values of generated rows by column.

    `headers` go with every request, where {token} is what the command `token` printed last. `values` are fields of
    bodies by name. `skip` has paths, operations such as `POST /books`, or paths that end in a star. `weights` are by
    operation, where 1 is usual. `environment` are variables of the served versions.
    """

    serve: str = ""
    install: str = INSTALL
    token: str = ""
    openapi: str = ""
    skip: tuple[str, ...] = ()
    headers: dict[str, str] = {}
    environment: dict[str, str] = {}
    values: dict[str, Any] = {}
    weights: dict[str, float] = {}
    rows: dict[str, int] = {}
    columns: dict[str, Any] = {}


def read(named: Path | None, folder: Path) -> Overrides:
    """The named file, else rehearse.toml in the folder of alembic.ini if there is one.

    Raises:
        Unusable: the file cannot be read, or has a field that is not known or of another type.
    """
    file = named or folder / NAME
    if named is None and not file.exists():
        return Overrides()
    try:
        return msgspec.convert(tomllib.loads(file.read_text()), type=Overrides)
    except OSError as failure:
        raise Unusable(f"{file} cannot be read: {failure.strerror}.") from failure
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, msgspec.ValidationError) as failure:
        raise Unusable(f"{file}: {str(failure).rstrip('.')}.") from failure
