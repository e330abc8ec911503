"""What a rehearsal makes of an API description, of samples of locks, of read-back documents, and of its figures."""

import json
import re
from random import Random
from typing import Any

import pytest
from click.testing import CliRunner

from service.cli import main
from service.migrate.proof.rehearse.bodies import Bodies, Unfit
from service.migrate.proof.rehearse.judge import Bars, Measured, judged
from service.migrate.proof.rehearse.locks import Longest
from service.migrate.proof.rehearse.memory import Memory, Written, parameters_of
from service.migrate.proof.rehearse.messages import Locks, Seen
from service.migrate.proof.rehearse.openapi import read
from service.migrate.proof.rehearse.reading_back import lost

JSON = {"content": {"application/json": {"schema": {"type": "object"}}}}
ANY = {"responses": {"200": JSON}}
DOCUMENT: Any = {
    "paths": {
        "/books": {"get": ANY, "post": {"requestBody": JSON, **ANY}},
        "/books/{id}": {"get": ANY, "patch": {"requestBody": JSON}, "delete": {}},
        "/books/{id}/notes": {"get": ANY, "put": {"requestBody": JSON}},
        "/shelves": {"post": {"requestBody": JSON}},
        "/shelves/{shelf}": {"get": ANY},
        "/books/{id}/shelves/{shelf}": {"get": ANY, "put": {}, "delete": {}},
        "/unknown/{it}": {"get": ANY},
        "/search": {"get": {"parameters": [{"name": "q", "in": "query", "required": True}], **ANY}},
        "/cover": {"get": {"responses": {"200": {"content": {"image/png": {}}}}}},
        "/login": {"post": {"requestBody": JSON}},
    }
}


def bodies(**fixed: Any) -> Bodies:
    return Bodies(document={}, random=Random(1), fixed=fixed, mark="o")


def test_an_api_is_read_as_resources_and_what_is_written_of_them() -> None:
    api = read(DOCUMENT, lambda each: each.path == "/skipped")
    assert {holder: each.name for holder, each in api.creates.items()} == {
        "/books/{id}": "POST /books",
        "/shelves/{shelf}": "POST /shelves",
    }
    assert [each.path for each in api.reads] == [
        "/books",
        "/books/{id}",
        "/books/{id}/notes",
        "/shelves/{shelf}",
    ]
    assert [each.name for each in api.updates] == ["PATCH /books/{id}", "PUT /books/{id}/notes"]
    assert [each.name for each in api.deletes] == ["DELETE /books/{id}"]
    assert api.links.keys() == {"/books/{id}/shelves/{shelf}"}


def test_each_resource_is_written_by_one_version_and_one_request_at_a_time() -> None:
    api = read(DOCUMENT, lambda _each: False)
    memory = Memory(random=Random(1), versions=("old", "new"))
    for number in range(20):
        memory.add("/books/{id}", {"id": str(number)})
    memory.add("/shelves/{shelf}", {"shelf": "a b"}, "new")
    by_version = {
        version: {memory.to_write(version, api, "/books/{id}") for _ in range(200)} - {""} for version in ("old", "new")
    }
    assert by_version["old"] | by_version["new"] == {f"/books/{number}" for number in range(20)}
    assert not by_version["old"] & by_version["new"]
    # What two resources have in common is a link.
    assert memory.to_write("new", api, "/books/{id}/shelves/{shelf}") == ""
    assert re.fullmatch(r"/books/\d+/shelves/a%20b", memory.to_read(api, "/books/{id}/shelves/{shelf}"))
    assert parameters_of("/books/{id}", "http://127.0.0.1/v1/books/7", None) == {"id": "7"}
    assert parameters_of("/books/{book}", "", {"id": 7}) == {"book": "7"}
    assert parameters_of("/books/{id}", "", {"name": "x"}) is None


def test_only_what_the_load_made_is_deleted_and_nothing_that_a_request_writes_or_a_link_needs() -> None:
    api = read(DOCUMENT, lambda _each: False)
    memory = Memory(random=Random(1), versions=("old",))
    memory.add("/books/{id}", {"id": "1"})
    memory.add("/shelves/{shelf}", {"shelf": "a"})
    assert memory.to_delete("old", "/books/{id}") == ""
    memory.add("/books/{id}", {"id": "2"}, "old")
    link = next(filter(None, (memory.to_link("old", api, "/books/{id}/shelves/{shelf}") for _ in range(9))))
    while "/2/" not in link:
        memory.give_back(link)
        link = memory.to_link("old", api, "/books/{id}/shelves/{shelf}")
    # Held, then linked, then neither.
    assert memory.to_delete("old", "/books/{id}") == ""
    memory.linked("old", "/books/{id}/shelves/{shelf}", link)
    memory.give_back(link)
    assert memory.to_delete("old", "/books/{id}") == ""
    assert memory.to_unlink("old", "/books/{id}/shelves/{shelf}") == link
    memory.unlinked("old", "DELETE", "/books/{id}/shelves/{shelf}", link)
    memory.give_back(link)
    assert memory.written[link].is_gone
    memory.written["/books/2/notes"] = Written(version="old", operation="PUT")
    assert memory.to_delete("old", "/books/{id}") == "/books/2"
    assert memory.is_removed("/books/2/notes")
    assert not memory.is_removed("/books/20")
    memory.deleted("old", "DELETE /books/{id}", "/books/2")
    assert memory.written.keys() == {"/books/2"}
    # The database gave the id again.
    memory.add("/books/{id}", {"id": "2"}, "old")
    assert not memory.is_removed("/books/2")
    assert memory.written.keys() == set()


def test_bodies_fit_their_schema() -> None:
    made = bodies(kind="novel").make(
        {
            "type": "object",
            "required": ["title", "email", "count", "tags", "kind", "either", "at", "choice"],
            "properties": {
                "title": {"type": "string", "minLength": 30, "maxLength": 40, "pattern": "^[a-z0-9]+$"},
                "email": {"type": "string", "pattern": "^[^@]+@[^@]+$"},
                "count": {"type": ["integer", "null"], "minimum": 3, "maximum": 3},
                "tags": {"type": "array", "minItems": 2, "items": {"type": "string"}},
                "kind": {"type": "string"},
                "either": {"anyOf": [{"type": "null"}, {"type": "boolean"}]},
                "at": {"type": "string", "format": "date-time"},
                "choice": {"enum": [None, "one"]},
                "shelf_id": {"type": "integer"},
                "made_at": {"type": "string", "readOnly": True},
            },
        }
    )
    assert len(made["title"]) == 30
    assert made["email"].endswith("@example.org")
    assert made["count"] == 3
    assert len(set(made["tags"])) == 2
    assert (made["kind"], made["choice"]) == ("novel", "one")
    assert isinstance(made["either"], bool)
    assert made["at"].endswith("Z")
    # An id of another resource would have to exist.
    assert "shelf_id" not in made
    assert "made_at" not in made
    with pytest.raises(Unfit):
        bodies().make({"type": "string", "pattern": "^never$"})
    with pytest.raises(Unfit):
        bodies().make({"type": "object", "required": ["x"], "properties": {"x": {"type": "string", "pattern": "^n$"}}})
    assert bodies().make({"type": "object"}) == {"rehearsal": "o1"}
    merged = {"allOf": [{"required": ["a"], "properties": {"a": {"const": 1}}}, {"properties": {}}]}
    assert bodies().make(merged) == {"a": 1}


def test_a_body_has_the_option_that_fits_and_ends_where_a_schema_refers_to_itself() -> None:
    def made(schema: Any) -> Any:
        return bodies().make({"type": "object", "required": ["x"], "properties": {"x": schema}})["x"]

    never = {"type": "string", "pattern": "^never$"}
    assert made({"anyOf": [never, {"type": "null"}, {"const": 3}]}) == 3
    assert made({"oneOf": [never, {"type": "null"}]}) is None
    # The syntax of ECMAScript, which Python does not read.
    assert isinstance(made({"type": "string", "pattern": "(?<year>.*)"}), str)
    tree = {"type": "array", "minItems": 1, "items": {"$ref": "#/tree"}}
    deep = Bodies(document={"tree": tree}, random=Random(1), fixed={}, mark="o").make(tree)
    assert set(json.dumps(deep)) <= set("[], ")
    assert "[]" in json.dumps(deep)


def test_the_services_own_description_gives_reads_and_writes_of_every_noun() -> None:
    document = json.loads(CliRunner().invoke(main, ["openapi"]).stdout)
    api = read(document, lambda _each: False)
    assert {"/v1/users/{user_id}", "/v1/records/{record_id}", "/v1/departments/{department_id}"} <= api.creates.keys()
    assert {"PATCH /v1/users/{user_id}", "PUT /v1/users/{user_id}/preferences"} <= {each.name for each in api.updates}
    assert "DELETE /v1/records/{record_id}" in {each.name for each in api.deletes}
    assert "/v1/employees/{employee_id}/departments/{department_id}" in api.links
    made = Bodies(document=document, random=Random(1), fixed={}, mark="o")
    for each in (*api.updates, *api.creates.values()):
        assert isinstance(made.make(each.schema), dict)


def test_a_lost_write_is_told_from_a_changed_value() -> None:
    written = Written(version="old", operation="PATCH /books/{id}")
    written.acknowledge({"a": 1, "b": 1, "secret": 1}, {"a": 1, "b": 1, "id": 7}, replaces=False)
    written.acknowledge({"a": 2}, {"a": 2, "b": 1}, replaces=False)
    assert lost(written, {"a": 2, "b": 1}) == []
    assert lost(written, {"a": 1, "b": 1}) == [("updates", "a is 1 instead of 2")]
    assert lost(written, {"a": 2, "b": 3}) == [("values", "b is 3 instead of 1")]
    assert lost(written, {"a": 2}) == [("values", "b is None instead of 1")]
    assert lost(written, None) == [("values", "a is None instead of 2"), ("values", "b is None instead of 1")]
    written.doubt({"a": 3}, replaces=False)
    assert lost(written, {"a": 9, "b": 1}) == []
    written.acknowledge({"b": 5}, None, replaces=True)
    assert lost(written, {"b": 5}) == []


def sample(key: str, *, held: bool, seconds: float = 0.0) -> dict[str, Any]:
    return {"key": key, "is_held": held, "seconds": seconds, "what": f"books {key}"}


def test_a_lock_counts_from_the_first_sample_that_has_it_to_the_last() -> None:
    longest = Longest()
    longest.add([sample("a", held=True), sample("w", held=False, seconds=0.3)], 1.0)
    longest.add([sample("a", held=True), sample("b", held=True)], 1.5)
    longest.add([sample("b", held=True), sample("w", held=False, seconds=0.1)], 1.75)
    longest.add([], 2.0)
    longest.add([sample("a", held=True)], 9.0)
    assert longest.held == (0.5, "books a")
    assert longest.waited == (0.3, "books w")
    assert longest.samples == 5
    assert longest.gap == 7.0


def measured(
    phase: str, *, database: str = "postgresql", error: str = "", locks: Locks | None = None, **seen: Any
) -> Measured:
    return Measured(
        database=database,
        rows=1000,
        phase=phase,
        direction="up",
        revision="0002_change",
        serving=("old",),
        seen=Seen(**{"requests": 100, "p99_ms": 10.0, **seen}),
        locks=locks or Locks(),
        seconds=1.0,
        migrator_seconds=0.5,
        error=error,
    )


BARS = Bars(lock_wait_ms=60, lock_held_ms=25, stall_ms=500, p99_ratio=3)
CONTROL = measured("control", refusals={"old: POST /books 409": 2})
# What a bad revision was seen to do, and what is found; the last three were recorded by the sampler.
BAD = {
    "column_dropped_that_the_old_version_reads": (
        measured("expand", failures={"old: GET /books 500": 31, "old: PATCH /books/{id} 500": 9}),
        "40 failed requests: old: GET /books 500 (31 times); old: PATCH /books/{id} 500 (9 times)",
    ),
    "not_null_that_the_old_version_does_not_fill": (
        measured("expand", refusals={"old: POST /books 409": 2, "old: POST /books 422": 12}),
        "12 failed requests: old: POST /books 422 (12 times)",
    ),
    "lost_row": (
        measured("contract", lost_rows=2, losses=("/books/7 is gone (404)",)),
        "2 acknowledged writes lost: /books/7 is gone (404)",
    ),
    "lost_update": (measured("backfill", lost_updates=1), "1 acknowledged writes lost: "),
    "truncated_value": (measured("expand", lost_values=1), "1 acknowledged writes lost: "),
    "failed_migrator": (measured("expand", error="the migrator failed: oh."), "the migrator failed: oh."),
    "outage": (measured("expand", requests=0), "no request was answered"),
    "slow_requests": (measured("expand", p99_ms=31.0), "p99 is 31.0 ms, 3.1 times that of the control"),
    "rows_updated_in_one_transaction": (
        measured("expand", locks=Locks(waited_ms=2210.5, waiting="transactionid ShareLock")),
        "a request waited 2,210.5 ms for the migrator (transactionid ShareLock)",
    ),
    "lock_held_while_work_is_done": (
        measured("expand", locks=Locks(held_ms=310.0, holding="books AccessExclusiveLock")),
        "the migrator held a blocking lock for 310.0 ms (books AccessExclusiveLock)",
    ),
    "stalled_writers": (measured("expand", database="sqlite", write_longest_ms=700.0), "a write took 700.0 ms"),
}


@pytest.mark.parametrize("name", BAD)
def test_what_is_beyond_a_bar_is_found(name: str) -> None:
    one, what = BAD[name]
    _, findings = judged([CONTROL, measured("control", database="sqlite"), one], BARS)
    assert [each.what for each in findings] == [what]


def test_what_the_machine_adds_to_a_lock_is_taken_from_the_control() -> None:
    """A process between two statements is stalled as long as the sampler of the control was."""
    control = measured("control", locks=Locks(gap_ms=40.0))
    slow = measured("expand", locks=Locks(held_ms=64.0, waited_ms=99.0, gap_ms=500.0))
    assert judged([control, slow], BARS)[1] == []
    assert len(judged([CONTROL, slow], BARS)[1]) == 2
    stalled = measured("control", locks=Locks(gap_ms=900.0))
    assert len(judged([stalled, measured("expand", locks=Locks(held_ms=130.0))], BARS)[1]) == 1


def test_what_the_control_met_too_is_no_finding() -> None:
    good = measured("expand", refusals={"old: POST /books 409": 40}, p99_ms=29.0, locks=Locks(waited_ms=59, held_ms=24))
    rows, findings = judged([CONTROL, good], BARS)
    assert findings == []
    assert [(row.failed, row.lost, row.p99_ratio) for row in rows] == [(0, 0, None), (0, 0, 2.9)]
    within = Bars(failed=40, lost=2)
    assert judged([CONTROL, *(one for one, _ in BAD.values() if not one.error and one.seen.requests)], within)[1] == []
