"""`roster token`: tokens beside the database, the first one included."""

import getpass
import os
import re
from collections.abc import Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import click

from service.cli.database import run_on
from service.errors import Misconfigured
from service.terminal.options import database, output
from service.terminal.output import Output

if TYPE_CHECKING:
    from service.db.database import Database
    from service.tokens.actions import Issued
    from service.tokens.schemas import OwnedToken

_UNITS = {"h": "hours", "d": "days", "w": "weeks"}


def _lifetime(_context: click.Context, _option: click.Parameter, text: str | None) -> timedelta | None:
    if text is None:
        return None
    found = re.fullmatch(r"([1-9][0-9]{0,4})([hdw])", text)
    if found is None:
        message = f"{text!r} is no lifetime: 12h, 90d or 52w is expected."
        raise click.BadParameter(message)
    return timedelta(**{_UNITS[found[2]]: int(found[1])})


@click.group()
@database
def token(_url: str | None) -> None:
    """Tokens of users.

    \b
      roster token create --role admin --name laptop    the first token
      roster token list
      roster token revoke 7
    """


@token.command("create")
@click.option("--name", required=True, metavar="TEXT", help="What the token is for.")
@click.option("--user", "email", metavar="EMAIL", help="The user of the token; without it, you.")
@click.option("--role", metavar="ROLE", help="Give the user this role, if they do not have it.")
@click.option(
    "--permission", "permissions", multiple=True, metavar="PERMISSION", help="Allow only this; may be repeated."
)
@click.option("--expires-in", "lifetime", callback=_lifetime, metavar="TIME", help="12h, 90d, 52w; else never.")
@click.option(
    "--server", default="http://127.0.0.1:8000", show_default=True, metavar="URL", help="The service, for the example."
)
@output
@database
def create_command(
    url: str | None, /, name: str, email: str | None, server: str, *, output: Output, **how: Any
) -> None:
    """Create a token and print it, once.

    Without --user the token is yours: a user named after your account on this machine, `ann@localhost`, who is created
    if need be. Access to the database is required.
    """
    check_token(name, how["permissions"])
    account = _account()
    asked = {"name": name, "permissions": how["permissions"] or None, "lifetime": how["lifetime"]}
    new_user_name = account if email is None else None
    email = email or f"{account}@localhost"

    async def work(database: "Database") -> "Issued":
        from service.db.audit import Audit
        from service.setup.actions import issue_to

        return await database.units.run(
            lambda session: issue_to(session, email, new_user_name=new_user_name, role=how["role"], **asked),
            audit=Audit(via="cli"),
        )

    issued = run_on(url, work)
    output.write({**_document(issued), "email": email}, [issued.text])
    if not output.as_json:
        # Standard output has the token alone, so that a script can take it.
        click.echo(f"Token {issued.id} of {email}. It is not shown again.", err=True)
        click.echo(f'Try: curl -s {server.rstrip("/")}/v1/me/tokens -H "Authorization: Bearer {issued.text}"', err=True)


@token.command("list")
@click.option("--user", "email", metavar="EMAIL", help="Of this user alone.")
@click.option("--all", "ended", is_flag=True, help="Also those that have expired or were revoked.")
@output
@database
def list_command(url: str | None, /, email: str | None, *, ended: bool, output: Output) -> None:
    """List tokens, sessions and password links, without their text."""

    async def work(database: "Database") -> "Sequence[OwnedToken]":
        from service.db.clock import now
        from service.tokens.queries import owned

        values = {} if ended else {"at": now()}
        return await database.reader.all(owned(with_ended=ended, of_one=email is not None), **values, **_whose(email))

    import msgspec

    found = run_on(url, work)
    output.write(msgspec.to_builtins(found), (_line(each) for each in found))


@token.command("revoke")
@click.argument("token_id", metavar="ID", type=click.IntRange(1, 2**63 - 1))
@output
@database
def revoke_command(url: str | None, /, token_id: int, *, output: Output) -> None:
    """Revoke a token; running servers refuse it within a second."""

    async def work(database: "Database") -> None:
        from service.db.audit import Audit
        from service.http.etags import Conditions
        from service.tokens.actions import revoke

        await database.units.run(
            lambda session: revoke(session, token_id, Conditions({"headers": ()})), audit=Audit(via="cli")
        )

    run_on(url, work)
    output.write({"id": token_id, "revoked": True}, [f"Token {token_id} is revoked."])


def check_token(name: str, permissions: Sequence[str]) -> None:
    """Return if a token can have this name and these permissions; raises Misconfigured with what is right."""
    import msgspec

    from service.db.words import LongName
    from service.http.auth.permissions import PERMISSIONS

    try:
        msgspec.convert(name, LongName)
    except msgspec.ValidationError:
        raise Misconfigured(f"--name is {name!r}; 1 to 100 characters on one line are expected.") from None
    for each in permissions:
        if each not in PERMISSIONS:
            raise Misconfigured(f"--permission {each!r} is none of {', '.join(PERMISSIONS)}.")


def _account() -> str:
    try:
        name = getpass.getuser()
    except (KeyError, OSError):
        # A container may run as a user without a name.
        name = f"uid-{os.getuid()}"
    return re.sub(r"[^A-Za-z0-9._-]", "-", name)[:50] or "operator"


def _whose(email: str | None) -> dict[str, str]:
    from service.db.folding import fold

    return {} if email is None else {"email_key": fold(email)}


def _document(issued: "Issued") -> dict[str, Any]:
    import msgspec

    document: dict[str, Any] = msgspec.to_builtins(issued.document)
    return document


def _line(token: "OwnedToken") -> str:
    allowed = "everything of its user" if token.permissions is None else ", ".join(token.permissions) or "nothing"
    ends = "revoked" if token.revoked_at else f"until {token.expires_at:%Y-%m-%d %H:%M}Z" if token.expires_at else ""
    used = f"last used {token.last_used_at:%Y-%m-%d %H:%M}Z" if token.last_used_at else "never used"
    parts = [f"{token.id}", token.email, token.kind, token.name, allowed, ends, used]
    return "  ".join(each for each in parts if each)
