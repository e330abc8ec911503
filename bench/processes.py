"""CPU time and memory of a server's processes, from Linux's /proc; unknown on other systems."""

import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

_PROC = Path("/proc")
_TICKS = os.sysconf("SC_CLK_TCK")
_MEBIBYTE = 1 << 20


def family(pid: int) -> Iterator[int]:
    """Yield the process and its descendants."""
    yield pid
    for children in _PROC.glob(f"{pid}/task/*/children"):
        found = ""
        # A thread may end meanwhile.
        with suppress(FileNotFoundError, ProcessLookupError):
            found = children.read_text()
        for child in found.split():
            yield from family(int(child))


def processor_seconds(pid: int) -> float:
    """Return the CPU seconds of a process and its descendants."""
    ticks = 0
    for each in family(pid):
        if (stat := _PROC / str(each) / "stat").exists():
            # The second field is the name in parentheses, which may contain spaces.
            fields = stat.read_text().rpartition(")")[2].split()
            ticks += int(fields[11]) + int(fields[12])
    return ticks / _TICKS


def peak_memory(pid: int) -> float | None:
    """Return the sum in MiB of the peaks of a process and its descendants, shared pages counted in each."""
    kibibytes = 0
    for each in family(pid):
        status = _PROC / str(each) / "status"
        if status.exists() and (peak := status.read_text().partition("VmHWM:")[2].split()):
            kibibytes += int(peak[0])
    return kibibytes * 1024 / _MEBIBYTE or None


def forget_peak(pid: int) -> None:
    """Reset the peaks to the current memory."""
    for each in family(pid):
        if (file := _PROC / str(each) / "clear_refs").exists():
            file.write_text("5")
