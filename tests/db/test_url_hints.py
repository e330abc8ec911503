"""What is said of a database URL that cannot be read, and that the password is in none of it."""

from pathlib import Path

import pytest

from service.db.engine import Purpose, create_engine
from service.db.urls import parse_url
from service.errors import Misconfigured


@pytest.mark.parametrize(
    ("character", "code"),
    [("@", "%40"), (":", "%3A"), ("/", "%2F"), ("?", "%3F"), ("#", "%23"), ("%", "%25"), (" ", "%20")],
)
@pytest.mark.parametrize(
    "template",
    [
        "postgresql://ann:sec{}ret@host/db",
        "postgres://ann:sec{}ret@host:5432/db?sslmode=require",
        "postgres://ann:12{}3ret@host:5432/db?supa=x&sslmode=require",
        "postgres://:{}secret@h1,h2/db?user=a@b",
    ],
)
def test_an_unescaped_character_in_a_password_is_named_with_its_code(template: str, character: str, code: str) -> None:
    with pytest.raises(Misconfigured) as refused:
        parse_url(template.format(character))
    assert str(refused.value) == (
        f"The password of the database URL holds what must be percent-encoded: write {code} for {character!r}."
    )
    assert refused.value.__context__ is None


@pytest.mark.parametrize(
    ("written", "sentence"),
    [
        ("postgres://ann:s/e@c%ret@host/db", r"write %2F for '/', %40 for '@', %25 for '%'"),
        ("postgres://ann@server:secret@host/db", "The user name of the database URL holds .* write %40 for '@'"),
        ("postgres://ann:secret@host/my db", "The part behind the @ .* write %20 for ' '"),
        ("postgres://host/db?user=ann&password=se#cret", "The part behind the \\? .* write %23 for '#'"),
        ("postgres://postgres:[YOUR-PASSWORD]@db.abc.supabase.co/postgres", "placeholder"),
        ("sqlite://", "in memory"),
        ("sqlite:///", "in memory"),
        ("sqlite:///:memory:", "in memory"),
        ("sqlite:///file::memory:?cache=shared&uri=true", "in memory"),
        ("sqlite:///file:x?mode=memory&uri=true", "in memory"),
        ("sqlite:///file:roster.db?uri=true", "Write sqlite:///roster.db"),
        ("sqlite:///roster.db?mode=rwc", "Write sqlite:///roster.db"),
        ("mysql://ann:secret@host/db", "names mysql. Only postgresql:// and sqlite:// are supported"),
        ("oracle+oracledb://ann:secret@host/db", "names oracle"),
        ("", "is empty"),
        ("'postgres://ann:secret@host/db'", "in quotes"),
        ("psql 'postgresql://a:secret@db/x'", "begins with psql: write only what stands after it, without quotes."),
        ("DATABASE_URL=postgresql://a:secret@db/x", "begins with DATABASE_URL=: write only what stands after it"),
        ("host=db password=secret", "a list of keywords. Write postgresql://user:password@host/name"),
        ("://secret", "cannot be read"),
        ("postgres//ann:secret@host/db", r"Write postgresql://ann:\*\*\*@host/db"),
        ("postgres:ann:sec@ret@host/db", r"Write postgresql://ann:\*\*\*@host/db"),
        ("postgresql:/host/db?password=secret", r"Write postgresql://host/db\?password=\*\*\*"),
        ("jdbc:postgresql://host/db?user=ann&password=secret", r"Write postgresql://host/db\?user=ann&password=\*\*\*"),
        ("ann:secret@host/db", r"Write postgresql://ann:\*\*\*@host/db"),
        ("localhost:5432/db", "Write postgresql://localhost:5432/db"),
        ("postgres://ann:secret", "port"),
        ("postgres://ann:secret@host:port/db", "port"),
        ("postgres://ann:secret@host:99999999/db", "port"),
        ("postgres://ann:secret@h1,h2/db?port=1,2,3", "2 hosts and 3 ports"),
        ("postgres://ann:secret@ho!st/db", "host"),
        ("postgres://ann:secret@host/db?sslmode=perhaps", "sslmode=perhaps. There are disable, allow"),
        ("postgres://ann:secret@host/db?sslmod=require", "'sslmod', which is none; did you mean sslmode"),
        ("postgres://ann@host/db?pasword=secret", "did you mean password"),
        ("postgres://ann:secret@host/db?connect_timeout=soon", "connect_timeout=soon. Write whole seconds"),
        ("postgres://ann:secret@host/db?pgbouncer=perhaps", "pgbouncer=perhaps. There are true, false"),
        ("postgres://ann:secret@host/db?target_session_attrs=best", "There are any, primary"),
        ("postgres://ann:secret@host/db?sslmode=verify-full", "needs to know whose certificates to trust"),
        (
            "postgres://ann:secret@host/db?sslmode=require&sslrootcert=/no/file.crt",
            "cannot be read: sslrootcert=/no/file.crt",
        ),
    ],
)
def test_urls_that_cannot_work_are_refused_without_telling_the_password(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, written: str, sentence: str
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    with pytest.raises(Misconfigured, match=sentence) as refused:
        create_engine(written, Purpose.SERVE)
    assert "sec" not in str(refused.value).replace("seconds", "")
    assert refused.value.__context__ is None


@pytest.mark.parametrize(
    "written", ["sqlite://data/a.db", "sqlite:data/a.db", "sqlite:/data/a.db", "data/a.db", "./data/a.db"]
)
def test_a_sqlite_path_is_shown_as_the_url_to_write(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, written: str
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(Misconfigured) as refused:
        parse_url(written)
    assert str(refused.value) == (
        f"The database URL is {written}, which has no sqlite:///. "
        f"Write sqlite:///data/a.db for the file {tmp_path}/data/a.db, or sqlite:///{tmp_path}/data/a.db."
    )


def test_an_absolute_path_takes_four_slashes() -> None:
    with pytest.raises(Misconfigured, match=r"Write sqlite:////var/lib/roster\.db\.$"):
        parse_url("/var/lib/roster.db")
