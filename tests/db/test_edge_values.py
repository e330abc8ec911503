import httpx
import pytest

USER = '{"name": "Ann", "email": "ann@example.org"'
RECORD = '{"title": "Song"'
LARGE = 2**63
JSON = {"content-type": "application/json"}


@pytest.mark.parametrize(
    ("method", "path", "content"),
    [
        ("GET", f"/v1/users/{LARGE}", ""),
        ("GET", f"/v1/users/{10**30}", ""),
        ("PATCH", f"/v1/users/{LARGE}", '{"age": 7}'),
        ("DELETE", f"/v1/users/{LARGE}", ""),
        ("GET", f"/v1/records?owner_id={LARGE}", ""),
        ("GET", f"/v1/users?limit={LARGE}", ""),
        ("GET", "/v1/users?q=%00", ""),
        ("GET", "/v1/users?external_id=%00", ""),
        ("GET", "/v1/users?q=%ED%A0%80", ""),
        ("GET", "/v1/users?email=%FF%FE", ""),
        ("POST", "/v1/records", RECORD + f', "duration": {2**31}}}'),
        ("POST", "/v1/records", RECORD + f', "duration": {LARGE}}}'),
        ("POST", "/v1/records", RECORD + f', "owner_id": {LARGE}}}'),
        ("POST", "/v1/records", RECORD + ', "duration": 1e400}'),
        ("POST", "/v1/records", RECORD + ', "duration": NaN}'),
        ("POST", "/v1/records", RECORD + ', "duration": Infinity}'),
        ("POST", "/v1/records", RECORD + ', "duration": 1.5}'),
        ("POST", "/v1/records", RECORD + ', "date_created": "2026-03-01T09:00:00"}'),
        ("POST", "/v1/records", RECORD + ', "date_created": "0001-01-01T00:00:00+14:00"}'),
        ("POST", "/v1/records", RECORD + ', "date_created": "9999-12-31T23:59:59-14:00"}'),
        ("POST", "/v1/records", RECORD + ', "date_created": "10000-01-01T00:00:00Z"}'),
        ("POST", "/v1/records", RECORD + ', "tags": ["\\u0000"]}'),
        ("POST", "/v1/records", RECORD + ', "tags": ["\\ud800"]}'),
        ("POST", "/v1/users", USER + ', "address": "\\u0000"}'),
        ("POST", "/v1/users", USER + ', "address": "\\ud800"}'),
        ("POST", "/v1/users", USER + ', "external_id": "\\udc00"}'),
        ("POST", "/v1/users", USER + f', "age": {LARGE}}}'),
        ("POST", "/v1/employees", '{"name": "Ann", "hired_on": "2026-02-30"}'),
        ("POST", "/v1/employees", '{"name": "Ann", "hired_on": "10000-01-01"}'),
        ("PUT", f"/v1/departments/1/employees/{LARGE}", "{}"),
    ],
)
async def test_a_value_that_no_column_holds_is_the_callers_mistake(
    client: httpx.AsyncClient, method: str, path: str, content: str
) -> None:
    answer = await client.request(method, path, content=content, headers=JSON if content else {})
    assert 400 <= answer.status_code < 500, answer.text
    assert answer.headers["content-type"] == "application/problem+json"


async def test_bytes_that_are_no_utf8_are_the_callers_mistake(client: httpx.AsyncClient) -> None:
    answer = await client.post("/v1/users", content=b'{"name": "\xff", "email": "a@b.c"}', headers=JSON)
    assert answer.status_code == 400


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("date_created", "0001-01-02T00:00:00Z"),
        ("date_created", "9999-12-30T00:00:00Z"),
        ("date_created", "2026-03-01T09:00:00.000001Z"),
        ("duration", 2**31 - 1),
        ("duration", 0),
        ("title", "\U0001f3b5" * 200),
        ("title", "ﬃ" * 200),
        ("title", "ﷺ" * 100),
        ("description", "\U0001f3b5" * 2000),
        ("tags", ["\U0001f3b5" * 50] * 20),
    ],
)
async def test_the_widest_values_come_back_as_they_were_sent(
    client: httpx.AsyncClient, field: str, value: object
) -> None:
    created = await client.post("/v1/records", json={"title": "Song", field: value})
    assert created.status_code == 201, created.text
    read = await client.get(created.headers["location"])
    assert read.json()[field] == value
