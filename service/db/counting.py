"""Numbers with what they count, for sentences."""


def counted(number: float, one: str, many: str | None = None) -> str:
    """The number and what is counted, in the singular where that is right: 1 row, 2 rows."""
    written = f"{number:,}" if isinstance(number, int) else f"{number:g}"
    return f"{written} {one if number == 1 else many or f'{one}s'}"
