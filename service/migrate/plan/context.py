"""What an env.py hands over: the part of `alembic.context` that the runner uses."""

from collections.abc import Callable
from typing import Any, Literal, Protocol

from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory


class Context(Protocol):
    """The module `alembic.context`, or an `EnvironmentContext`: both have these names."""

    config: Config
    script: ScriptDirectory

    @property
    def configure(self) -> Callable[..., None]: ...

    @property
    def begin_transaction(self) -> Callable[[], Any]: ...

    @property
    def run_migrations(self) -> Callable[..., None]: ...

    def get_context(self) -> MigrationContext: ...

    def get_x_argument(self, as_dictionary: Literal[True]) -> dict[str, str]: ...

    def is_offline_mode(self) -> bool: ...
