"""`roster users`: users, with no service running."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import click

from service.cli.database import as_struct, run_on, unit
from service.terminal.options import database, output
from service.terminal.output import Output

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncSession

    from service.users.schemas import User


@click.group()
@database
def users(_url: str | None) -> None:
    """Users: list them, create one, and deactivate one.

    \b
      roster users create ann@example.org --name "Ann Lee" --role editor
      roster users list --role admin
      roster users deactivate ann@example.org
    """


@users.command("list")
@click.option("--q", metavar="TEXT", help="Users with this text in their name or email only.")
@click.option("--role", metavar="ROLE", help="Users with this role only.")
@click.option("--active/--inactive", default=None, help="Users who are active, or who are not, only.")
@click.option("--limit", type=click.IntRange(1, 100_000), default=50, show_default=True, help="The most to list.")
@output
@database
def list_command(url: str | None, /, limit: int, *, output: Output, **filters: Any) -> None:
    """List users, ordered by name."""
    import msgspec

    from service.users.actions import list_all
    from service.users.schemas import UserParameters

    asked = as_struct(UserParameters, {"sort": "name", **filters})
    found = run_on(url, lambda database: list_all(database.reader, asked, limit))
    output.write({"items": msgspec.to_builtins(found)}, _lines(found))


@users.command("create")
@click.argument("email")
@click.option("--name", required=True, help="The name of the user.")
@click.option("--external-id", metavar="KEY", help="A key of your own for the user.")
@click.option("--role", "roles", multiple=True, metavar="ROLE", help="A role to give; may be repeated.")
@output
@database
def create_command(url: str | None, /, roles: tuple[str, ...], *, output: Output, **fields: Any) -> None:
    """Create a user with EMAIL, who has no password yet."""
    import msgspec

    from service.http.auth.actors import OPEN
    from service.http.etags import UNCONDITIONAL
    from service.roles.actions import give
    from service.users import actions
    from service.users.schemas import UserCreate

    body = as_struct(UserCreate, fields)

    async def work(session: "AsyncSession") -> "User":
        user = await actions.create(session, body)
        for role in roles:
            await give(session, OPEN, user.id, role, UNCONDITIONAL)
        return await actions.read(session, user.id)

    user = unit(url, work)
    output.write(msgspec.to_builtins(user), _lines([user]))


@users.command("deactivate")
@click.argument("email")
@output
@database
def deactivate_command(url: str | None, /, email: str, *, output: Output) -> None:
    """Make the user with EMAIL inactive.

    The tokens and sessions of an inactive user are not valid, and a login is refused.
    """
    import msgspec

    from service.users.actions import deactivate

    user = unit(url, lambda session: deactivate(session, email))
    output.write(msgspec.to_builtins(user), _lines([user]))


def _lines(found: "list[User]") -> Iterator[str]:
    from service.terminal.escapes import escaped

    for each in found:
        roles = ", ".join(each.roles) or "no role"
        yield escaped(f"{each.id}  {each.email}  {each.name}  {roles}{'' if each.active else '  inactive'}")
    if not found:
        yield "There is no such user."
