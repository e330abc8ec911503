"""The values of a row to be written: those given, what the model derives from them, and its defaults."""

from collections.abc import Mapping
from functools import cache
from types import SimpleNamespace
from typing import Any

from sqlalchemy import Table, inspect


def new_values(model: Any, given: Mapping[str, Any]) -> dict[str, Any]:
    """Return the values of a new row, with the defaults that Python makes."""
    values = derived(model, given)
    context = _Context(values)
    for name, default in _defaults(model.__table__, "default"):
        if name not in values:
            values[name] = default.arg(context) if default.is_callable else default.arg
    return values


def changed_values(model: Any, given: Mapping[str, Any]) -> dict[str, Any]:
    """Return the values of an UPDATE, with those that Python makes at every change."""
    values = derived(model, given)
    context = _Context(values)
    for name, default in _defaults(model.__table__, "onupdate"):
        if name not in values:
            values[name] = default.arg(context) if default.is_callable else default.arg
    return values


def derived(model: Any, given: Mapping[str, Any]) -> dict[str, Any]:
    """Return the values as the model's validators make them, with what they set beside (folded keys).

    An instance of the model would do the same in ten times the time, most of it for changes that nobody asks for.
    """
    validators = _validators(model)
    row = SimpleNamespace()
    values = row.__dict__
    for name, value in given.items():
        validate = validators.get(name)
        values[name] = value if validate is None else validate(row, name, value)
    return values


class _Context:
    """What a default that depends on other values asks."""

    __slots__ = ("_values",)

    def __init__(self, values: dict[str, Any]) -> None:
        self._values = values

    def get_current_parameters(self) -> dict[str, Any]:
        return self._values


@cache
def _validators(model: Any) -> dict[str, Any]:
    return {name: method for name, (method, _) in inspect(model).validators.items()}


@cache
def _defaults(table: Table, kind: str) -> list[tuple[str, Any]]:
    found = [(column.name, getattr(column, kind)) for column in table.columns]
    return [(name, default) for name, default in found if default is not None]
