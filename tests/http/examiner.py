"""Schemathesis on the service: every check, on every operation that the API description names."""

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import count
from types import NoneType
from typing import Any, get_args

import schemathesis
from schemathesis.config import SchemathesisConfig
from schemathesis.core.result import Ok
from schemathesis.engine import events, from_schema
from schemathesis.engine.recorder import ScenarioRecorder
from schemathesis.generation.meta import TestPhase
from sqlalchemy.ext.asyncio import AsyncSession

from service.http.etags import ENTITY_TAGS
from service.http.idempotency import KEY
from service.http.pages import Cursor
from service.models import Token, User
from service.passwords.actions import set_password
from tests.callers import add_caller, elsewhere
from tests.conftest import serving_in_process

# The administrator whose token is sent: the id of the user and of the token, and what logs in.
CALLER_ID = 2**52
EMAIL = "admin@example.com"
PASSWORD = "correct horse battery staple"

_CONDITIONS = ("If-Match", "If-None-Match")
_FILES = ("text/csv", "application/x-ndjson", "application/octet-stream")
_LONGEST_CURSOR = get_args(Cursor)[1].max_length
# A description cannot say which email and password are right.
_CREDENTIALS = {
    "POST /v1/sessions": {"email": EMAIL, "password": PASSWORD},
    "PUT /v1/me/password": {"current_password": PASSWORD, "new_password": PASSWORD},
}
# Chance seldom finds both ends of a link that still stands, and never the code of the setup URL or the token of a
# password link. The caller's token is no session that could end.
SELDOM_DONE = {
    "POST /v1/setup",
    "POST /v1/password-links",
    "DELETE /v1/sessions/current",
    "DELETE /v1/departments/{department_id}/employees/{employee_id}",
    "DELETE /v1/employees/{employee_id}/departments/{department_id}",
}
_numbers = count()


def config(*, examples: int, seed: int, token: str, mode: str = "all") -> SchemathesisConfig:
    """All checks, the same cases every time for one seed; `examples` are those drawn at random for each operation.

    `mode` is "all", or "positive" for valid requests alone.
    """
    return SchemathesisConfig.from_dict(
        {
            "seed": seed,
            "continue-on-failure": True,
            "headers": {"Authorization": f"Bearer {token}"},
            "generation": {"mode": mode, "max-examples": examples, "database": "none", "no-shrink": True},
            # How fast a busy machine draws examples says nothing about the service.
            "suppress-health-check": ["all"],
            "checks": {
                "positive_data_acceptance": {
                    # 404: no row has this id. 409: another user has this email. 412: no version matches an If-Match
                    # made up by chance. A description can say none of these of a value.
                    "expected-statuses": ["2xx", "3xx", "404", "409", "412"]
                }
            },
            "operations": [
                {
                    "include-operation-id-regex": "^create_administrator$",
                    # Nobody has the code.
                    "checks": {"positive_data_acceptance": {"expected-statuses": ["403"]}},
                },
                {
                    "include-operation-id-regex": "^use_password_link$",
                    # Nobody has the token of a link.
                    "checks": {"positive_data_acceptance": {"expected-statuses": ["422"]}},
                },
                {
                    "include-operation-id-regex": "^create_(own|user)_token$",
                    # A description cannot say that a time must be in the future.
                    "checks": {"positive_data_acceptance": {"expected-statuses": ["2xx", "404", "409", "422"]}},
                },
                {
                    "include-operation-id-regex": "^import_",
                    "checks": {
                        "positive_data_acceptance": {
                            # To a description a file is text: it cannot say which columns and lines are right.
                            "expected-statuses": ["2xx", "400", "422"]
                        }
                    },
                },
            ],
        }
    )


@dataclass
class Findings:
    """What was found wrong, as text to act on, and how often each operation gave each status."""

    failures: list[str] = field(default_factory=list)
    answers: Counter[tuple[str, int]] = field(default_factory=Counter)

    @property
    def calls(self) -> int:
        return self.answers.total()

    def done(self) -> set[str]:
        """The operations that did what they were asked at least once."""
        return {label for label, status in self.answers if status < 400}


def examine(schema: schemathesis.BaseSchema) -> Findings:
    findings = Findings()
    for event in from_schema(schema).execute():
        if isinstance(event, events.ScenarioFinished):
            findings.failures += _failures(event.recorder)
            for id, interaction in event.recorder.interactions.items():
                status = interaction.response.status_code if interaction.response else 0
                findings.answers[event.recorder.cases[id].value.operation.label, status] += 1
        elif isinstance(event, (events.NonFatalError, events.FatalError)):
            findings.failures.append(f"Schemathesis itself: {event}")
    return findings


def _failures(recorder: ScenarioRecorder) -> Iterator[str]:
    for id, checks in recorder.checks.items():
        response = recorder.interactions[id].response
        for check in checks:
            if check.failure_info:
                answered = f"{response.status_code} {response.text[:500]}" if response else "no answer"
                failure = check.failure_info
                yield f"{check.name}: {failure.failure.message}\n{failure.code_sample[:1000]}\n{answered}\n"


@schemathesis.hook
def before_call(_context: schemathesis.HookContext, case: schemathesis.Case[Any], _kwargs: dict[str, Any]) -> None:
    """Correct values that no schema can describe, so that the rest of the request is examined."""
    key = case.headers.get("Idempotency-Key")
    if key is not None and re.fullmatch(KEY, key):
        # The same key with another body is refused; coverage has one key for all its bodies.
        case.headers["Idempotency-Key"] = f"{next(_numbers)}-{key}"[:200]
    if _is_well_formed_cursor(case.query.get("cursor")):
        # A cursor is one that a page gave; any other is a 400.
        del case.query["cursor"]
    _spare_the_caller(case)
    is_positive = case.meta is not None and case.meta.generation.mode.is_positive
    if is_positive:
        _correct_query(case.query)
    if isinstance(case.body, dict):
        _make_unique(case.body)
        if is_positive:
            _put_dates_in_order(case.body)
            case.body |= _CREDENTIALS.get(case.operation.label, {})
    if case.media_type in _FILES and isinstance(case.body, (int, float, list, dict, NoneType)):
        # Any text is a file to the description, and whatever is sent is text: there is no file of a wrong type.
        case.body = str(case.body)
    for name in _CONDITIONS:
        if name in case.headers and _is_unfit_by_mistake(case, name):
            del case.headers[name]


@schemathesis.serializer(*_FILES)
def send_as_it_is(_context: schemathesis.SerializationContext, value: Any) -> bytes:
    return value if isinstance(value, bytes) else str(value).encode()


def _spare_the_caller(case: schemathesis.Case[Any]) -> None:
    """Name a user or token that does not exist in place of the caller's: Schemathesis takes ids from responses too."""
    takes_another_role = case.path_parameters.get("role", "admin") != "admin"
    if case.method == "GET" or takes_another_role:
        return
    for name in ("user_id", "token_id"):
        if str(case.path_parameters.get(name)) == str(CALLER_ID):
            case.path_parameters[name] = CALLER_ID - 1


def _correct_query(query: dict[str, Any]) -> None:
    """Leave out a cursor of the feed that no response gave, and filter logins by an address that is one."""
    if query.get("after") != "now":
        query.pop("after", None)
    if "address" in query:
        query["address"] = "203.0.113.9"


def _is_well_formed_cursor(cursor: object) -> bool:
    return isinstance(cursor, str) and 1 <= len(cursor) <= _LONGEST_CURSOR


def _make_unique(body: dict[str, Any]) -> None:
    """Replace the examples, which coverage sends again and again, where a second one is a conflict."""
    number = next(_numbers)
    for name, example, value in (
        ("email", "ann@example.org", f"ann{number}@example.org"),
        ("external_id", "crm-4711", f"crm-{number}"),
        ("name", "Research", f"Research {number}"),
        ("user_id", 1, None),
        ("owner_id", 1, None),
    ):
        # True is 1 to Python, and a wrong type to the service.
        if body.get(name) == example and body[name] is not True:
            body[name] = value


def _put_dates_in_order(body: dict[str, Any]) -> None:
    first, last = body.get("from_date"), body.get("to_date")
    if isinstance(first, str) and isinstance(last, str) and last < first:
        body["from_date"], body["to_date"] = last, first


def _is_unfit_by_mistake(case: schemathesis.Case[Any], name: str) -> bool:
    """Schemathesis 4.32's coverage fills these two with 0, which their pattern forbids, when it tests other values."""
    if (
        case.meta is None
        or case.meta.phase.name is not TestPhase.COVERAGE
        or re.fullmatch(ENTITY_TAGS, case.headers[name])
    ):
        return False
    return getattr(case.meta.phase.data, "parameter", None) != name


async def token_of_an_administrator(url: str) -> str:
    """The service asks for tokens then, and Schemathesis also checks what it answers to others.

    The examiner keeps this user, their role and their token from being deleted.
    """
    async with serving_in_process(url) as roster:
        password_hash = await roster.passwords.hash(PASSWORD)
        await roster.database.units.run(lambda session: _add_user(session, password_hash))
        caller = await add_caller(roster, "admin", user_id=CALLER_ID)
        await elsewhere(roster, Token, caller.token_id, id=CALLER_ID)
        return caller.token


async def _add_user(session: AsyncSession, password_hash: str) -> None:
    session.add(User(id=CALLER_ID, name="Admin", email=EMAIL))
    await session.flush()
    await set_password(session, CALLER_ID, password_hash)


def judge(schema: schemathesis.BaseSchema) -> None:
    findings = examine(schema)
    assert not findings.failures, "\n".join(findings.failures[:20])
    described = {result.ok().label for result in schema.get_all_operations() if isinstance(result, Ok)}
    # A run in which nothing ever worked would have nothing to say.
    assert described - findings.done() <= SELDOM_DONE
