"""Errors for a database URL that cannot be parsed: each names the right spelling, none holds the password."""

import re
from pathlib import Path

from service.db.url_parameters import is_known
from service.errors import Misconfigured

_BOTH = "Write postgresql://user:password@host/name or sqlite:///file.db."
_RESERVED = re.compile(r"[@:/?#\s]|%(?![0-9A-Fa-f]{2})")
_STRAY = re.compile(r"[#\s]|%(?![0-9A-Fa-f]{2})")
_HALF_SQLITE = re.compile(r"sqlite(?:\+\w+)?(?::/*|//+)(?P<path>.*)", re.IGNORECASE | re.DOTALL)
_HALF_POSTGRESQL = re.compile(r"postgres(?:ql)?(?:\+\w+)?(?::/*|//+)(?P<rest>.*)", re.IGNORECASE | re.DOTALL)
_BARE_SERVER = re.compile(r"[^\s='\"]+@[^\s'\"]+|localhost(?::\d+)?/.*|[\w.-]+:\d+(?:/.*)?", re.IGNORECASE)
_KEYWORDS = re.compile(r"\b(?:dbname|host|password|port|user)\s*=", re.IGNORECASE)
# Hosting services show `psql 'postgresql://…'` and lines of a .env file.
_PREFIX = re.compile(r"((?:export\s+)?\w*URL\s*=|psql(?=\s))\s*['\"]?[\w+]+://", re.IGNORECASE)
_QUERY = re.compile(r"\?[\w.-]+=[^?]*$")
_PLACEHOLDER = re.compile(r"[\[<{]?your[-_ ]?password[\]>}]?", re.IGNORECASE)


def unreadable(text: str) -> Misconfigured:
    """Why a text is no URL, with the URL that was probably meant."""
    if text.lower().startswith("jdbc:"):
        return Misconfigured(f"The database URL is one for JDBC. Write {_masked(text.partition(':')[2])}.")
    if half := _HALF_POSTGRESQL.fullmatch(text):
        return Misconfigured(f"The database URL lacks its ://. Write {_masked('postgresql://' + half['rest'])}.")
    if half := _HALF_SQLITE.fullmatch(text):
        return sqlite_path(text, half["path"])
    if "://" not in text and _BARE_SERVER.fullmatch(text):
        return Misconfigured(f"The database URL has no scheme. Write {_masked('postgresql://' + text)}.")
    if why := _why_not_even_a_path(text):
        return Misconfigured(f"The database URL {why}. {_BOTH}")
    return sqlite_path(text, text)


def _why_not_even_a_path(text: str) -> str:
    if not text:
        return "is empty"
    if prefix := _PREFIX.match(text):
        return f"begins with {prefix[1]}: write only what stands after it, without quotes"
    if text[0] in "'\"":
        return "stands in quotes: write it without them"
    if _KEYWORDS.search(text):
        return "is a list of keywords"
    return "cannot be read" if "://" in text or any(each.isspace() for each in text) else ""


def other_database(backend: str, rest: str) -> Misconfigured:
    """Why the URL of another database than ours is refused."""
    if backend == "file":
        return sqlite_path(f"file://{rest}", rest)
    return Misconfigured(f"The database URL names {backend}. Only postgresql:// and sqlite:// are supported.")


def sqlite_path(written: str, path: str) -> Misconfigured:
    """The error for a bare path, or for a SQLite URL with another number of slashes than three."""
    if "@" in path:
        return Misconfigured(f"The database URL cannot be read. {_BOTH}")
    if not path.strip("./"):
        return Misconfigured("The database URL names no file. Write sqlite:///file.db.")
    whole = Path(path).absolute()
    where = "" if Path(path).is_absolute() else f" for the file {whole}, or {sqlite_url(str(whole))}"
    return Misconfigured(f"The database URL is {written}, which has no sqlite:///. Write {sqlite_url(path)}{where}.")


def sqlite_url(path: str) -> str:
    return f"sqlite:///{path.removeprefix('file:').removeprefix('./')}"


def refuse_unescaped(rest: str) -> None:
    """Refuse reserved characters that are not percent-encoded in the part after postgresql://.

    Raises:
        Misconfigured: the sentence has the character and how it is written.
    """
    body, query = _split_query(rest)
    login, at, server = body.rpartition("@")
    user, _, password = login.partition(":")
    parts = (
        ("user name", _RESERVED.findall(user)),
        ("password", _RESERVED.findall(password)),
        ("part behind the @" if at else "host or name", _STRAY.findall(server)),
        ("part behind the ?", _STRAY.findall(query)),
    )
    for part, characters in parts:
        if characters:
            raise _unescaped(part, characters)
    if _PLACEHOLDER.fullmatch(password):
        raise Misconfigured("The password in the database URL is a placeholder: put the real one in its place.")


def _split_query(rest: str) -> tuple[str, str]:
    """The text before the parameters, and those; a ? in a password begins no parameters."""
    found = _QUERY.search(rest)
    if found and any(is_known(each.partition("=")[0]) for each in found[0][1:].split("&")):
        return rest[: found.start()], found[0]
    return rest, ""


def _unescaped(part: str, characters: list[str]) -> Misconfigured:
    written = ", ".join(f"%{ord(each):02X} for {each!r}" for each in dict.fromkeys(characters))
    return Misconfigured(f"The {part} of the database URL holds what must be percent-encoded: write {written}.")


def _masked(url: str) -> str:
    """The URL with *** for all that may be a password."""
    before, at, after = url.rpartition("@")
    if not at:
        return re.sub(r"(password=)[^&]*", r"\1***", url, flags=re.IGNORECASE)
    scheme, _, login = before.partition("://")
    user, colon, _ = login.partition(":")
    return f"{scheme}://{user}{':***' if colon else ''}@{_masked(after)}"
