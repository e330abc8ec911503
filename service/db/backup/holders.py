"""Which processes have a file open, where the system tells (Linux)."""

import os
from pathlib import Path

_PROCESSES = Path("/proc")
_LONGEST_COMMAND = 60


def holders(file: Path) -> list[str]:
    """The other processes that have this file open, by number and command; none where the system does not tell."""
    wanted = file.stat()
    numbers = [each.name for each in _PROCESSES.glob("[0-9]*") if each.name != str(os.getpid())]
    return [f"process {number}{_command(number)}" for number in numbers if _holds(number, wanted)]


def _holds(number: str, wanted: os.stat_result) -> bool:
    try:
        opened = list((_PROCESSES / number / "fd").iterdir())
    except OSError:
        # It has ended, or belongs to someone else.
        return False
    return any(_is(each, wanted) and not _is_path_only(each) for each in opened)


def _is(descriptor: Path, wanted: os.stat_result) -> bool:
    try:
        return os.path.samestat(descriptor.stat(), wanted)
    except OSError:
        return False


def _is_path_only(descriptor: Path) -> bool:
    """Whether a descriptor was opened with O_PATH: it keeps an inode's number, and neither reads nor writes."""
    try:
        text = (descriptor.parent.parent / "fdinfo" / descriptor.name).read_text()
    except OSError:
        return False
    flags = next((line.split()[1] for line in text.splitlines() if line.startswith("flags:")), "0")
    return bool(int(flags, 8) & os.O_PATH)


def _command(number: str) -> str:
    try:
        words = (_PROCESSES / number / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace").strip()
    except OSError:
        return ""
    return f" ({words[:_LONGEST_COMMAND]})" if words else ""
