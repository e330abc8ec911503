"""Files for the tests of import and export: real ones, and as many lines as wanted."""

from pathlib import Path
from typing import Any

import httpx

DATA = Path(__file__).parent / "data"
# In the order in which they can be imported, with how many lines each has.
REAL = {"users": 20, "records": 20, "departments": 9, "employees": 40, "department-employees": 44}
MEDIA = {"csv": "text/csv", "ndjson": "application/x-ndjson"}

Document = dict[str, Any]


def real(noun: str) -> bytes:
    """The extract of one noun, as CSV."""
    return (DATA / f"{noun.replace('-', '_')}.csv").read_bytes()


def people(count: int, *, start: int = 0) -> bytes:
    """A CSV file of so many users, each with their own email and external id."""
    lines = (f"User {n},user{n}@example.org,crm:{n}" for n in range(start, start + count))
    return "\n".join(["name,email,external_id", *lines, ""]).encode()


async def send(
    client: httpx.AsyncClient, noun: str, content: bytes | str, *, format: str = "csv", **query: str
) -> httpx.Response:
    """Import a file."""
    raw = content.encode() if isinstance(content, str) else content
    return await client.post(f"/v1/{noun}/import", content=raw, params=query, headers={"content-type": MEDIA[format]})


async def imported(
    client: httpx.AsyncClient, noun: str, content: bytes | str, *, format: str = "csv", **query: str
) -> Document:
    """The report of an import that was carried out."""
    answer = await send(client, noun, content, format=format, **query)
    assert answer.status_code == 200, answer.text
    report: Document = answer.json()
    return report


def report(**fields: Any) -> Document:
    """The report with these counts and no others."""
    counts = dict.fromkeys(("created", "updated", "unchanged", "failed"), 0)
    counts |= {name: fields[name] for name in counts if name in fields}
    return {
        "mode": "create",
        "dry_run": False,
        "atomic": False,
        "lines": sum(counts.values()),
        **counts,
        "stopped_at_line": None,
        "skipped_columns": [],
        "errors": [],
        "errors_omitted": 0,
    } | fields


def errors(*each: tuple[int, str | None, str]) -> list[Document]:
    """The errors of a report."""
    return [{"line": line, "field": field, "detail": detail} for line, field, detail in each]


async def listed(client: httpx.AsyncClient, noun: str) -> list[Document]:
    """The first two hundred of a noun, in the order of ids."""
    items: list[Document] = (await client.get(f"/v1/{noun}", params={"limit": "200"})).json()["items"]
    return items
