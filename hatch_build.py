"""Puts the revisions into the wheel, so that `roster db upgrade` works without a checkout."""

from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class Revisions(BuildHookInterface[Any]):
    """Adds alembic/ and alembic.ini below service/: a folder alembic/ of its own would overwrite the library."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        # An editable installation finds both in the checkout.
        if version == "standard":
            build_data["force_include"] |= {name: f"service/{name}" for name in ("alembic", "alembic.ini")}
