"""What a server's processes use, as Linux tells it under /proc; elsewhere it is not known."""

import os
from collections.abc import Iterator
from pathlib import Path

_PROC = Path("/proc")
_TICKS = os.sysconf("SC_CLK_TCK")
_MEBIBYTE = 1 << 20


def family(pid: int) -> Iterator[int]:
    """Yield the process and all that descend from it."""
    yield pid
    for children in _PROC.glob(f"{pid}/task/*/children"):
        for child in children.read_text().split():
            yield from family(int(child))


def processor_seconds(pid: int) -> float:
    """Return the processor time that the family has used."""
    ticks = 0
    for each in family(pid):
        if (stat := _PROC / str(each) / "stat").exists():
            # The second field is the name, in brackets, and may hold spaces.
            fields = stat.read_text().rpartition(")")[2].split()
            ticks += int(fields[11]) + int(fields[12])
    return ticks / _TICKS


def peak_memory(pid: int) -> float | None:
    """Return the MiB that the family held at most, each process at its own peak, shared pages counted in each."""
    kibibytes = 0
    for each in family(pid):
        status = _PROC / str(each) / "status"
        if status.exists() and (peak := status.read_text().partition("VmHWM:")[2].split()):
            kibibytes += int(peak[0])
    return kibibytes * 1024 / _MEBIBYTE or None


def forget_peak(pid: int) -> None:
    """Let the peak begin anew at what is held now."""
    for each in family(pid):
        if (file := _PROC / str(each) / "clear_refs").exists():
            file.write_text("5")
