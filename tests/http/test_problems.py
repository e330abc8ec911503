import msgspec
import pytest
from litestar.exceptions import HTTPException
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from structlog.testing import capture_logs

from service.app import create_app
from service.errors import (
    Conflict,
    Fault,
    Forbidden,
    Gone,
    Invalid,
    Malformed,
    NoSpace,
    NotFound,
    RosterError,
    Stale,
    TooMany,
    Unauthenticated,
    Unavailable,
    Unsettled,
)
from service.http.answers import Answer
from service.http.failed_requests import allowed, describe
from service.http.problems import (
    STATUS,
    HeadTooLarge,
    Misdirected,
    NotAcceptable,
    NotImplementedHere,
    TooLarge,
    TooSlow,
    UnsupportedMedia,
    UnsupportedVersion,
)
from service.settings import Settings
from tests.conftest import client_of
from tests.nouns import USERS, problem

TITLES = {
    400: "Bad Request",
    401: "Unauthorized",
    403: "Forbidden",
    404: "Not Found",
    406: "Not Acceptable",
    408: "Request Timeout",
    409: "Conflict",
    410: "Gone",
    412: "Precondition Failed",
    413: "Content Too Large",
    415: "Unsupported Media Type",
    421: "Misdirected Request",
    422: "Unprocessable Content",
    429: "Too Many Requests",
    431: "Request Header Fields Too Large",
    501: "Not Implemented",
    503: "Service Unavailable",
    505: "HTTP Version Not Supported",
    507: "Insufficient Storage",
}
FAILURES: list[RosterError] = [
    *(Malformed("So."), NotFound("So."), NotAcceptable("So."), Conflict("So."), Stale("So."), TooLarge("So.")),
    *(UnsupportedMedia("So."), Invalid("So."), Unavailable("So."), Unsettled("So."), Gone("So.")),
    *(TooSlow("So."), Misdirected("So."), HeadTooLarge("So."), NotImplementedHere("So."), UnsupportedVersion("So.")),
    *(NoSpace("So."), Unauthenticated("So."), Forbidden("So."), TooMany("So.", retry_after_seconds=1)),
]


def document(answer: Answer) -> dict[str, object]:
    assert answer.headers[0] == (b"content-type", b"application/problem+json")
    assert (b"content-length", str(len(answer.body)).encode()) in answer.headers
    read: dict[str, object] = msgspec.json.decode(answer.body)
    assert read["status"] == answer.status
    return read


@pytest.mark.parametrize("failure", FAILURES, ids=lambda failure: type(failure).__name__)
def test_every_failure_of_the_directory_is_a_problem(failure: RosterError) -> None:
    status, slug = STATUS[type(failure)]
    assert document(describe(failure, "a")) == {
        "type": f"urn:roster:problem:{slug}",
        "title": TITLES[status],
        "status": status,
        "detail": "So.",
        "request_id": "a",
    }


def test_no_failure_is_forgotten() -> None:
    assert {type(each) for each in FAILURES} | {RecursionError} == set(STATUS)


def test_a_conflict_names_its_field_and_faults_their_places() -> None:
    assert document(describe(Conflict("So.", field="email"), None))["field"] == "email"
    faults = (Fault(detail="a", pointer=""), Fault(detail="b", parameter="q"))
    errors = [{"detail": "a", "pointer": ""}, {"detail": "b", "parameter": "q"}]
    assert document(describe(Invalid("So.", *faults), None))["errors"] == errors


@pytest.mark.parametrize(
    ("failure", "seconds"),
    [(Unavailable("So.", retry_after_seconds=7), b"7"), (PoolTimeoutError(), b"1"), (ConnectionResetError(), b"1")],
)
def test_says_when_to_come_again(failure: Exception, seconds: bytes) -> None:
    answer = describe(failure, None)
    assert (answer.status, dict(answer.headers)[b"retry-after"]) == (503, seconds)


def test_what_nobody_expected_is_logged_and_not_told() -> None:
    secret = ZeroDivisionError("secret")
    with capture_logs() as logs:
        answer = describe(secret, "a")
    assert document(answer) == {
        "type": "urn:roster:problem:internal",
        "title": "Internal Server Error",
        "status": 500,
        "detail": "The service made a mistake; it has been written down.",
        "request_id": "a",
    }
    assert logs == [{"event": "request failed", "log_level": "error", "request_id": "a", "exc_info": secret}]


def test_litestars_own_failures_are_problems() -> None:
    answer = describe(HTTPException("So.", status_code=429, headers={"Retry-After": "9"}), None)
    assert (b"retry-after", b"9") in answer.headers
    assert document(answer) == {
        "type": "urn:roster:problem:too-many-requests",
        "title": "Too Many Requests",
        "status": 429,
        "detail": "So.",
    }


def test_a_failure_of_litestars_own_is_logged() -> None:
    with capture_logs() as logs:
        answer = describe(HTTPException("So.", status_code=500), "a")
    assert (document(answer)["status"], [each["event"] for each in logs]) == (500, ["request failed"])


def test_nesting_too_deep_for_python_is_the_callers_doing() -> None:
    assert document(describe(RecursionError(), None)) == {
        "type": "urn:roster:problem:malformed",
        "title": "Bad Request",
        "status": 400,
        "detail": "The body is nested too deeply.",
    }


def test_head_is_allowed_where_get_is() -> None:
    assert allowed(["POST", "GET"]) == "GET, HEAD, OPTIONS, POST"
    assert allowed(["POST", ""]) == "OPTIONS, POST"


async def test_a_database_without_a_schema_is_logged_once_as_unavailable(empty_url: str) -> None:
    roster = create_app(Settings(database_url=empty_url))
    with capture_logs() as logs:
        async with client_of(roster) as client:
            answer = await client.post("/v1/users", json=USERS.least)
    await roster.database.close()
    assert problem(answer)["type"] == "urn:roster:problem:unavailable"
    assert "run `roster db upgrade`" in problem(answer)["detail"]
    assert [each["event"] for each in logs] == ["unavailable", "request"]
