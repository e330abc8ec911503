"""`roster password`: set or reset the password of a user."""

import sys
from typing import TYPE_CHECKING

import click

from service.cli.database import run_on
from service.terminal.options import database, output
from service.terminal.output import Output

if TYPE_CHECKING:
    from service.db.database import Database
    from service.passwords.schemas import PasswordLink


@click.group()
@database
def password(_url: str | None) -> None:
    """Passwords of users.

    \b
      roster password reset ann@example.org     print a link that sets one
    """


@password.command("reset")
@click.argument("email")
@click.option("--stdin", is_flag=True, help="Set the password that the first line of standard input holds.")
@click.option(
    "--server",
    default="http://127.0.0.1:8000",
    show_default=True,
    metavar="URL",
    help="The address of the service, for the link.",
)
@output
@database
def reset_command(url: str | None, /, email: str, server: str, *, stdin: bool, output: Output) -> None:
    """Print a link that sets the password of EMAIL.

    The link works once and for 24 hours. The old password is valid until the link is used; then the sessions of the
    user end.
    """
    if stdin:
        new = sys.stdin.readline().removesuffix("\n")
        _set(url, email, new)
        output.write({"email": email}, [f"The password of {email} is set; the sessions of the user have ended."])
        return
    from service.db.audit import Audit
    from service.passwords.actions import make_link_of_email

    async def work(database: "Database") -> "PasswordLink":
        return await database.units.run(
            lambda session: make_link_of_email(session, email, server.rstrip("/")), audit=Audit(via="cli")
        )

    link = run_on(url, work)
    document = {"email": email, "url": link.url, "token": link.token, "expires_at": link.expires_at}
    until = link.expires_at.isoformat(timespec="minutes").replace("+00:00", "Z")
    output.write(document, [f"{email} can set a password here once, until {until}:", link.url])


def _set(url: str | None, email: str, new: str) -> None:
    import msgspec

    from service.db.audit import Audit
    from service.db.words import Password
    from service.password_hashing.pool import Passwords
    from service.passwords.actions import check_strength, set_password_of_email
    from service.settings import Settings

    try:
        msgspec.convert(new, Password)
        new.encode()
    except (msgspec.ValidationError, UnicodeEncodeError):
        raise click.UsageError(f"A password has 8 to 128 characters of UTF-8; {len(new)} were given.") from None
    check_strength(new)

    async def work(database: "Database") -> None:
        passwords = Passwords(Settings.from_env())
        password_hash = await passwords.hash(new)
        passwords.close()
        await database.units.run(
            lambda session: set_password_of_email(session, email, password_hash), audit=Audit(via="cli")
        )

    run_on(url, work)
