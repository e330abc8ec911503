"""The machine and the versions of a measurement."""

import os
import platform
from importlib.metadata import version
from pathlib import Path

_LIBRARIES = ("sqlalchemy", "asyncpg", "aiosqlite", "litestar", "msgspec", "uvicorn", "uvloop")


def describe() -> dict[str, str]:
    """Return processors, memory, system and the versions of the libraries that affect speed."""
    return {
        "processors": f"{os.cpu_count()} of {_processor()}",
        "memory": f"{os.sysconf('SC_PAGE_SIZE') * os.sysconf('SC_PHYS_PAGES') / (1 << 30):.0f} GiB",
        "system": f"{platform.system()} {platform.release()}",
        "Python": platform.python_version(),
    } | {name: version(name) for name in _LIBRARIES}


def _processor() -> str:
    file = Path("/proc/cpuinfo")
    lines = file.read_text().splitlines() if file.exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()
