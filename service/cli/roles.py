"""`roster roles`: roles, and who has them, with no service running."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import click

from service.cli.database import as_struct, run_on, unit
from service.terminal.options import database, output
from service.terminal.output import Output

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncSession

    from service.roles.schemas import Role


def _known(_context: click.Context, _option: click.Parameter, named: tuple[str, ...]) -> tuple[str, ...]:
    from service.http.auth.permissions import PERMISSIONS

    for each in named:
        if each not in PERMISSIONS:
            message = f"{each!r} is none of {', '.join(PERMISSIONS)}."
            raise click.BadParameter(message)
    return named


_permissions = click.option(
    "--permission",
    "permissions",
    callback=_known,
    multiple=True,
    metavar="PERMISSION",
    help="A permission that the role holds, such as users.read; may be repeated.",
)
_description = click.option("--description", metavar="TEXT", help="What the role is for.")
_role = click.argument("role")
_email = click.argument("email")


@click.group()
@database
def roles(_url: str | None) -> None:
    """Roles: named lists of permissions, given to users.

    \b
      roster roles create listener --permission records.read
      roster roles give listener ann@example.org
      roster roles list
    """


@roles.command("list")
@output
@database
def list_command(url: str | None, /, *, output: Output) -> None:
    """List every role with its permissions."""
    import msgspec

    from service.roles.actions import list_all

    found = run_on(url, lambda database: list_all(database.reader))
    output.write({"items": msgspec.to_builtins(found)}, _lines(found))


@roles.command("show")
@_role
@output
@database
def show_command(url: str | None, /, role: str, *, output: Output) -> None:
    """Show ROLE with its permissions."""
    from service.roles.actions import read

    _write(output, run_on(url, lambda database: read(database.reader, role)))


@roles.command("create")
@_role
@_permissions
@_description
@output
@database
def create_command(url: str | None, /, role: str, *, output: Output, **fields: Any) -> None:
    """Create ROLE.

    A name has small letters and digits, and one of `.`, `_`, `-` between them.
    """
    from service.roles.actions import create_as_operator
    from service.roles.schemas import RoleCreate

    body = as_struct(RoleCreate, {"name": role, **fields, "permissions": [*fields["permissions"]]})
    _write(output, unit(url, lambda session: create_as_operator(session, body)))


@roles.command("update")
@_role
@_permissions
@_description
@output
@database
def update_command(
    url: str | None, /, role: str, permissions: tuple[str, ...], description: str | None, *, output: Output
) -> None:
    """Change ROLE.

    Permissions replace all that ROLE holds; without --permission those stay.
    """
    from service.http.auth.actors import OPEN
    from service.http.etags import UNCONDITIONAL
    from service.roles.actions import change
    from service.roles.schemas import RoleUpdate

    body = as_struct(RoleUpdate, {"permissions": [*permissions] or None, "description": description})
    _write(output, unit(url, lambda session: change(session, OPEN, role, UNCONDITIONAL, body)))


@roles.command("delete")
@_role
@output
@database
def delete_command(url: str | None, /, role: str, *, output: Output) -> None:
    """Delete ROLE, which no user may have any more."""
    from service.http.auth.actors import OPEN
    from service.http.etags import UNCONDITIONAL
    from service.roles.actions import remove

    unit(url, lambda session: remove(session, OPEN, role, UNCONDITIONAL))
    output.write({"role": role}, [f"The role {role} is deleted."])


@roles.command("give")
@_role
@_email
@output
@database
def give_command(url: str | None, /, role: str, email: str, *, output: Output) -> None:
    """Give ROLE to the user with EMAIL."""
    from service.http.auth.actors import OPEN
    from service.http.etags import UNCONDITIONAL
    from service.roles.actions import give, user_of_email

    async def work(session: "AsyncSession") -> None:
        await give(session, OPEN, await user_of_email(session, email), role, UNCONDITIONAL)

    unit(url, work)
    output.write({"role": role, "email": email}, [f"{email} has the role {role}."])


@roles.command("take")
@_role
@_email
@output
@database
def take_command(url: str | None, /, role: str, email: str, *, output: Output) -> None:
    """Take ROLE from the user with EMAIL."""
    from service.http.auth.actors import OPEN
    from service.http.etags import UNCONDITIONAL
    from service.roles.actions import take, user_of_email

    async def work(session: "AsyncSession") -> None:
        await take(session, OPEN, await user_of_email(session, email), role, UNCONDITIONAL)

    unit(url, work)
    output.write({"role": role, "email": email}, [f"{email} does not have the role {role} any more."])


def _write(output: Output, role: "Role") -> None:
    import msgspec

    output.write(msgspec.to_builtins(role), _lines([role]))


def _lines(found: "list[Role]") -> Iterator[str]:
    for each in found:
        yield f"{each.name}{' (built in)' if each.built_in else ''}: {', '.join(each.permissions) or 'no permission'}"
