"""The passwords that attackers try first; the list is described in README.md."""

from functools import cache
from importlib.resources import files


def is_common(password: str) -> bool:
    """Tell whether the password, in lower case, is on the list."""
    return password.lower() in _common()


@cache
def _common() -> frozenset[str]:
    return frozenset(files(__package__).joinpath("common.txt").read_text("ascii").splitlines())
