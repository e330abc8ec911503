"""Arguments of `service.migrate.ops` that are of another type than their function takes."""

import inspect
from collections.abc import Mapping, Sequence
from types import FrameType, UnionType
from typing import Any, Union, get_args, get_origin, get_type_hints


def misfit(frame: FrameType, function: Any) -> str | None:
    """What is wrong with the first argument of this call that does not fit its annotation; `None` if all fit."""
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
                return f"{function.__name__}(): {name} is {each!r}, {_described(hints[name])} is expected"
    return None


def usage(function: Any) -> str:
    """The function as it is called, without types."""
    parameters = inspect.signature(function).parameters.values()
    plain = [each.replace(annotation=inspect.Parameter.empty) for each in parameters]
    return f"{function.__name__}{inspect.Signature(plain)}"


def _fits(value: object, hint: Any) -> bool:
    kind = get_origin(hint) or hint
    if kind in (Union, UnionType):
        return any(_fits(value, each) for each in get_args(hint))
    if kind is Sequence:
        # A text is a sequence of texts, and never what is meant.
        return isinstance(value, Sequence) and not isinstance(value, str) and _each_fits(value, get_args(hint))
    return isinstance(value, kind) if isinstance(kind, type) and kind is not Mapping else True


def _each_fits(values: Sequence[object], hints: tuple[Any, ...]) -> bool:
    return not hints or all(_fits(each, hints[0]) for each in values)


def _described(hint: Any) -> str:
    if hint is str:
        return "a text"
    if hint is type(None):
        return "None"
    kind = get_origin(hint) or hint
    if kind in (Union, UnionType):
        return " or ".join(_described(each) for each in get_args(hint))
    if kind is Sequence:
        return "a list of texts" if get_args(hint) == (str,) else "a list"
    return f"a {getattr(kind, '__name__', kind)}"
