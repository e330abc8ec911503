"""Characters that a terminal or a reader could take for something else, written as escapes."""

import re

# Not printable to Python: C0, C1, DEL, bidi and zero-width controls, line separators, tags, surrogates, private use,
# and unassigned code points. Printable to Python but drawn as nothing, or as a space: the rest.
_INVISIBLE = "\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180d\u180f\u2800\u3164\ufe00-\ufe0f\uffa0\U000e0100-\U000e01ef"
_MAYBE = re.compile(r"[^\x20-\x7e]")
_NEVER_DRAWN = re.compile(f"[{_INVISIBLE}]")


def is_plain(character: str) -> bool:
    """Whether a terminal draws the character where it stands, and nothing else happens."""
    return character.isprintable() and not _NEVER_DRAWN.match(character)


def escaped(text: str, *, keep: str = "") -> str:
    r"""Return the text with every character that is not plain as Python would escape it: \x1b, \u202e."""
    if text.isascii() and text.isprintable():
        return text
    return _MAYBE.sub(lambda found: found[0] if found[0] in keep or is_plain(found[0]) else _escape(found[0]), text)


def escaped_in_json(document: str) -> str:
    """Return a JSON document with every character that is not plain as JSON escapes it; its value stays the same."""
    return _MAYBE.sub(lambda found: found[0] if is_plain(found[0]) else _escape_in_json(found[0]), document)


def _escape(character: str) -> str:
    return character.encode("unicode_escape").decode()


def _escape_in_json(character: str) -> str:
    units = character.encode("utf-16-be", "surrogatepass").hex()
    return "".join(f"\\u{units[at : at + 4]}" for at in range(0, len(units), 4))
