"""Tokens over HTTP: one's own, and those of every user."""

from litestar import Router
from sqlalchemy.ext.asyncio import AsyncSession

from service.db.listing import Page
from service.db.reader import Reader
from service.http.auth.actors import Actor
from service.http.auth.permissions import ANYONE
from service.http.etags import Conditions
from service.http.rendering import Secret
from service.http.unit import reads, writes
from service.tokens import actions, queries, schemas


@reads("/v1/me/tokens", permission=ANYONE, summary="List one's own tokens", result=schemas.TokenPage)
async def list_own_tokens(reader: Reader, actor: Actor, query: schemas.OwnTokenParameters) -> Page[schemas.Token]:
    """Lists the tokens of the caller, of programs and of sessions, those that are over included."""
    return await queries.TOKENS.page(reader, query, fixed={"user_id": actor.require_user()})


@writes(
    "POST",
    "/v1/me/tokens",
    permission=ANYONE,
    summary="Create a token of one's own",
    status=201,
    result=schemas.TokenCreated,
    problems=(403,),
)
async def create_own_token(session: AsyncSession, actor: Actor, body: schemas.TokenCreate) -> Secret:
    """Issues a token that allows no more than the token of the request, and lasts no longer unless that is a session.

    The response is the only one that shows the token.
    """
    issued = await actions.create(session, actor, actor.require_user(), body)
    return Secret(issued.document, f"/v1/me/tokens/{issued.id}")


@writes(
    "DELETE",
    "/v1/me/tokens/{token_id}",
    permission=ANYONE,
    summary="Revoke a token of one's own",
    status=204,
    problems=(403,),
)
async def revoke_own_token(session: AsyncSession, actor: Actor, token_id: int, conditions: Conditions) -> None:
    """Revokes a token of the caller; it is refused from now on, by other processes of the service within a second.

    A token with permissions of its own revokes itself and those that allow no more than it does.
    """
    actor.require_user()
    await actions.revoke(session, token_id, conditions, owner=actor)


@reads("/v1/tokens", permission="tokens.write", summary="List tokens", result=schemas.TokenPage)
async def list_tokens(reader: Reader, query: schemas.TokenParameters) -> Page[schemas.Token]:
    """Lists the tokens of every user, of programs, of sessions and in password links, those that are over included."""
    return await queries.TOKENS.page(reader, query)


@writes(
    "POST",
    "/v1/users/{user_id}/tokens",
    permission="tokens.write",
    summary="Create a token of a user",
    status=201,
    result=schemas.TokenCreated,
)
async def create_user_token(session: AsyncSession, actor: Actor, user_id: int, body: schemas.TokenCreate) -> Secret:
    """Issues a token that allows what both the user and the token of the request may do.

    The response is the only one that shows the token.
    """
    issued = await actions.create(session, actor, user_id, body)
    return Secret(issued.document, f"/v1/tokens/{issued.id}")


@writes("DELETE", "/v1/tokens/{token_id}", permission="tokens.write", summary="Revoke a token", status=204)
async def revoke_token(session: AsyncSession, token_id: int, conditions: Conditions) -> None:
    """Revokes a token; it is refused from now on, by other processes of the service within a second."""
    await actions.revoke(session, token_id, conditions)


router = Router(
    "/",
    route_handlers=[
        list_own_tokens,
        create_own_token,
        revoke_own_token,
        list_tokens,
        create_user_token,
        revoke_token,
    ],
)
