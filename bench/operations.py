"""The operations: the requests that every rival answers."""

from dataclasses import dataclass

from bench.data import FIRST_USER, TOKEN

PAGE = 50

_CURSORS = frozenset({"next_cursor"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """A kind of request; `%(n)d` in it is random from `numbers`, `%(k)d` is a counter."""

    name: str
    title: str
    path: str
    numbers: tuple[int, int]
    method: str = "GET"
    body: str = ""
    token: str = ""
    status: int = 200
    # Fields whose values differ between the rivals' answers.
    varies: frozenset[str] = frozenset()
    # Operations of one group take turns A B B A at each rival, so that their rates can be compared.
    group: str = ""

    @property
    def headers(self) -> dict[str, str]:
        headers = {"authorization": f"Bearer {self.token}"} if self.token else {}
        return headers | ({"content-type": "application/json"} if self.body else {})

    @property
    def request(self) -> bytes:
        lines = [f"{self.method} {self.path} HTTP/1.1", "host: 127.0.0.1"]
        lines += [f"{name}: {value}" for name, value in self.headers.items()]
        if self.body:
            lines.append(f"content-length: {len(self.body % {'n': 0, 'k': 0})}")
        return ("\r\n".join(lines) + "\r\n\r\n" + self.body).encode()


# A placeholder for the cursor of the last page, which each rival encodes in its own way.
CURSOR = "CURSOR"


def operations(*, users: int, employees: int) -> list[Operation]:
    """Return every operation, for these numbers of rows."""
    page = f"/v1/users?limit={PAGE}"
    one = (FIRST_USER, FIRST_USER + users - 1)
    return [
        Operation(name="get", title="GET one user", path="/v1/users/%(n)d", numbers=one, group="get"),
        Operation(
            name="get-token",
            title="GET one user, with a token",
            path="/v1/users/%(n)d",
            token=TOKEN,
            numbers=one,
            group="get",
        ),
        Operation(name="page", title=f"GET page of {PAGE}", path=page, numbers=(1, 1), varies=_CURSORS, group="page"),
        Operation(
            name="deep-page",
            title=f"GET page, {users:,} deep",
            path=f"{page}&cursor={CURSOR}",
            numbers=(1, 1),
            varies=_CURSORS,
            group="page",
        ),
        Operation(
            name="links",
            title="GET employee with departments",
            path="/v1/employees/%(n)d?include=departments",
            numbers=(1, employees),
        ),
        Operation(
            name="post",
            title="POST user",
            method="POST",
            path="/v1/users",
            body='{"name":"Ada Lovelace","email":"new%(k)012d@example.org","age":36,"address":"12 St James\'s Square"}',
            numbers=(1, 1),
            status=201,
            varies=frozenset({"id", "email", "created_at", "updated_at"}),
        ),
        Operation(
            name="patch",
            title="PATCH user",
            method="PATCH",
            path="/v1/users/%(n)d",
            body='{"address":"%(k)012d Dorset Street"}',
            numbers=one,
            varies=frozenset({"address", "version", "updated_at"}),
        ),
    ]
