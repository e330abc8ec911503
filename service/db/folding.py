"""Keys for uniqueness, search and sort without case, made in Python so that both databases agree."""

from collections.abc import Sequence
from unicodedata import normalize

# A B-tree entry of PostgreSQL ends at 2,704 bytes; 512 characters of four bytes stay below it.
FOLDED_LENGTH = 512


def fold(text: str) -> str:
    """Return the key of a text: NFKC, then casefold, at most `FOLDED_LENGTH` characters."""
    if text.isascii():
        return text.lower()[:FOLDED_LENGTH]
    # Casefolding can leave a form that NFKC would change again (Unicode 15, 3.13 D146).
    return normalize("NFKC", normalize("NFKC", text).casefold())[:FOLDED_LENGTH]


def fold_all(texts: Sequence[str]) -> list[str]:
    """Return the key of each text; many ASCII texts cost little more than one."""
    joined = "\n".join(texts)
    if len(joined) <= FOLDED_LENGTH or not joined.isascii():
        return [text.lower() if text.isascii() and len(text) <= FOLDED_LENGTH else fold(text) for text in texts]
    keys = [key[:FOLDED_LENGTH] for key in joined.lower().split("\n")]
    # A text may hold a line feed.
    return keys if len(keys) == len(texts) else [*map(fold, texts)]
