"""Recall and false alarms of each tool, as tables."""

from collections.abc import Collection, Iterator, Mapping

import msgspec

from bench.lint.corpus import NOTICED_MS, Version


class Score(msgspec.Struct, frozen=True, kw_only=True):
    """How a tool judged the statements: of those that requests notice, and of the others."""

    tool: str
    version: int
    noticed: int
    found: int
    harmless: int
    false_alarms: int
    missed: list[str]
    wrong: list[str]


def score(tool: str, version: int, measured: Version, alarms: Collection[str]) -> Score:
    """The score of a tool that warns of the statements `alarms`."""
    noticed = {name for name, each in measured.statements.items() if each.is_noticed}
    harmless = measured.statements.keys() - noticed
    return Score(
        tool=tool,
        version=version,
        noticed=len(noticed),
        found=len(noticed & set(alarms)),
        harmless=len(harmless),
        false_alarms=len(harmless & set(alarms)),
        missed=sorted(noticed - set(alarms)),
        wrong=sorted(harmless & set(alarms)),
    )


def table(scores: Collection[Score]) -> Iterator[str]:
    """The scores as a Markdown table."""
    yield f"| PostgreSQL | tool | found, of those that block > {NOTICED_MS:g} ms | false alarms, of the others |"
    yield "|---|---|---|---|"
    for each in scores:
        yield (
            f"| {each.version} | {each.tool} | {each.found} of {each.noticed} "
            f"| {each.false_alarms} of {each.harmless} |"
        )


def times(measured: Mapping[int, Version]) -> Iterator[str]:
    """The statements that keep requests waiting, as a Markdown table with the milliseconds on each version."""
    versions = sorted(measured)
    yield f"| statement | waits | {' | '.join(f'{each}, ms' for each in versions)} |"
    yield f"|---|---|{'---|' * len(versions)}"
    names = dict.fromkeys(name for each in measured.values() for name in each.statements)
    for name in names:
        found = [measured[version].statements.get(name) for version in versions]
        known = [each for each in found if each is not None]
        if any(each.is_noticed for each in known):
            cells = ["" if each is None else f"{each.milliseconds:,.0f}" for each in found]
            yield f"| `{name}` | {known[-1].blocks.effect} | {' | '.join(cells)} |"
