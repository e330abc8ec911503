"""Texts of findings as sentences: some come without a full stop, or with one."""

from service.migrate.proof.finding import Finding


def sentence(text: str) -> str:
    """The text with a capital letter and one full stop; names such as ops.add_column keep their spelling."""
    first = text.split(" ", maxsplit=1)[0]
    head = text if "." in first or "(" in first else text[:1].upper() + text[1:]
    return f"{head.rstrip('.')}."


def summary(each: Finding) -> str:
    """The fact, the effect on users, and the safe way."""
    return f"{sentence(each.what)} {sentence(each.effect)} Safe: {sentence(each.advice)}"
