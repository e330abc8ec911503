"""Type check of the arguments of `service.migrate.ops` functions, at run time."""

import inspect
from collections.abc import Mapping, Sequence
from types import FrameType, UnionType
from typing import Any, Union, get_args, get_origin, get_type_hints


def misfit(frame: FrameType, function: Any) -> str | None:
    """A message about the first argument of this call that has another type than annotated; `None` if all fit."""
    try:
        hints = get_type_hints(function)
    except NameError:
        return None
    for name, parameter in inspect.signature(function).parameters.items():
        if name not in frame.f_locals or parameter.kind is parameter.VAR_KEYWORD:
            continue
        value = frame.f_locals[name]
        given = value if parameter.kind is parameter.VAR_POSITIONAL else (value,)
        for each in given:
            if not _fits(each, hints[name]):
                return f"{function.__name__}(): {name} is {each!r}, expected {_described(hints[name])}"
    return None


def usage(function: Any) -> str:
    """The function's signature without types."""
    parameters = inspect.signature(function).parameters.values()
    plain = [each.replace(annotation=inspect.Parameter.empty) for each in parameters]
    return f"{function.__name__}{inspect.Signature(plain)}"


def _fits(value: object, hint: Any) -> bool:
    kind = get_origin(hint) or hint
    if kind in (Union, UnionType):
        return any(_fits(value, each) for each in get_args(hint))
    if kind is Sequence:
        # A string is a sequence of strings, but never a list of names.
        return isinstance(value, Sequence) and not isinstance(value, str) and _each_fits(value, get_args(hint))
    return isinstance(value, kind) if isinstance(kind, type) and kind is not Mapping else True


def _each_fits(values: Sequence[object], hints: tuple[Any, ...]) -> bool:
    return not hints or all(_fits(each, hints[0]) for each in values)


def _described(hint: Any) -> str:
    if hint is str:
        return "a string"
    if hint is type(None):
        return "None"
    kind = get_origin(hint) or hint
    if kind in (Union, UnionType):
        return " or ".join(_described(each) for each in get_args(hint))
    if kind is Sequence:
        items = get_args(hint)
        if items == (str,):
            return "a list of strings"
        return "a list of strings or expressions" if items and str in get_args(items[0]) else "a list"
    return f"a {getattr(kind, '__name__', kind)}"
