"""Import and export of users, with their roles and preferences."""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from typing import Any, Final

import msgspec
from msgspec import UNSET
from sqlalchemy import bindparam, delete, select
from sqlalchemy.ext.asyncio import AsyncSession

from service.db import bulk, trail
from service.db.audit import record, record_updated
from service.db.clock import now
from service.db.upserts import insert_into
from service.errors import Conflict, Fault, Invalid, Malformed
from service.http import json_objects
from service.http.auth.actors import Actor
from service.http.auth.admins import LAST, has_admin, lock_admin_role
from service.http.auth.permissions import ADMIN, PERMISSIONS, Permission
from service.http.auth.queries import of_role
from service.http.auth.rank import beyond
from service.http.transfer.exports import Export
from service.http.transfer.related import Changes, Move
from service.http.transfer.spec import Import
from service.http.wire import WRONG
from service.models import Event, Preferences, Role, User, UserRole
from service.users import queries, schemas

_NO_PREFERENCES: Final = "{}"


class RolesAndPreferences:
    """The fields of a user that are rows of other tables."""

    unset: Final[Mapping[str, Any]] = {"roles": (), "preferences": _NO_PREFERENCES}
    # Preferences have a version of their own.
    counted: Final = frozenset({"roles"})
    key: Final = "email_key"

    def read(self, line: msgspec.Struct) -> dict[str, Any]:
        user: Any = line
        values: dict[str, Any] = {}
        if user.roles is not UNSET:
            values["roles"] = _roles(user.roles)
        if user.preferences is not UNSET:
            values["preferences"] = _preferences(user.preferences)
        return values

    async def known(self, session: AsyncSession) -> dict[str, tuple[int, frozenset[Permission]]]:
        """Return the id and the permissions of each role by its name."""
        rows = await session.execute(select(Role.name, Role.id, Role.built_in, Role.permissions))
        return {name: (id, of_role(built_in, name, permissions)) for name, id, built_in, permissions in rows}

    async def of(self, session: AsyncSession, ids: Sequence[int]) -> Mapping[int, Mapping[str, Any]]:
        keys = [(id,) for id in ids]
        given: Any = UserRole.__table__.c
        stored: Any = Preferences.__table__.c
        rows = await bulk.find(session, [given.user_id, given.role_id], [given.user_id], keys)
        # Roles are made and deleted meanwhile: one that is gone by now is nobody's.
        names = {id: name for name, (id, _) in (await self.known(session)).items()}
        held: defaultdict[int, list[str]] = defaultdict(list)
        for row in rows:
            if row["role_id"] in names:
                held[row["user_id"]].append(names[row["role_id"]])
        values: dict[int, dict[str, Any]] = {id: {"roles": tuple(sorted(held[id]))} for id in ids}
        for row in await bulk.find(session, [stored.user_id, stored.document], [stored.user_id], keys):
            values[row["user_id"]]["preferences"] = row["document"]
        return values

    def faults(self, known: Any, actor: Actor, changes: Changes) -> list[Fault]:
        before, after = changes.get("roles", ((), ()))
        faults = []
        for name in sorted({*before} ^ {*after}):
            if name not in known:
                faults.append(Fault(field="roles", detail=f"There is no role {name}."))
            elif lacking := sorted(known[name][1] - actor.permissions):
                detail = f"To give or take {name} the token needs the permissions {', '.join(lacking)} too."
                faults.append(Fault(field="roles", detail=detail))
        return faults

    def guards(self, actor: Actor) -> bool:
        return actor.permissions != frozenset(PERMISSIONS)

    def refusals(self, known: Any, actor: Actor, before: Mapping[str, Any], names: Collection[str]) -> list[Fault]:
        held = frozenset[Permission]().union(*(known[name][1] for name in before["roles"]))
        if not (lacking := beyond(held, actor)):
            return []
        detail = f"To change this of a user who has the permissions {', '.join(lacking)}, the token needs them too."
        return [Fault(field=name, detail=detail) for name in sorted(schemas.ACCOUNT & {*names})]

    async def hold(self, session: AsyncSession, updates: Mapping[int, Changes]) -> bool:
        """Return whether the updates may take the last administrator away."""
        doubtful = [id for id, changes in updates.items() if _is_doubtful(changes)]
        return bool(doubtful) and await has_admin(session, doubtful)

    async def store(self, session: AsyncSession, known: Any, moves: Sequence[Move], held: Any) -> None:
        await _store_roles(session, known, [each for each in moves if "roles" in each.changes])
        await _store_preferences(session, [each for each in moves if "preferences" in each.changes])
        if held:
            await lock_admin_role(session)
            if not await has_admin(session):
                raise Conflict(LAST)
        # An atomic import may change any number of rows before it commits.
        await trail.store_many(session, Event.__table__)  # type: ignore[arg-type]


def _roles(names: Sequence[str]) -> tuple[str, ...]:
    faults = [
        Fault(detail=f"{name} is given more than once.", pointer=f"/roles/{at}")
        for at, name in enumerate(names)
        if name in names[:at]
    ]
    if faults:
        raise Invalid(WRONG, *faults)
    return tuple(sorted(names))


def _preferences(raw: msgspec.Raw) -> str:
    try:
        return json_objects.written(json_objects.read(bytes(raw)))
    except Malformed:
        raise Invalid(WRONG, Fault(detail="Expected the text of a JSON object.", pointer="/preferences")) from None
    except Invalid as invalid:
        faults = (Fault(detail=each.detail, pointer=f"/preferences{each.pointer}") for each in invalid.faults)
        raise Invalid(WRONG, *faults) from None


def _is_doubtful(changes: Changes) -> bool:
    before, after = changes.get("roles", ((), ()))
    return changes.get("active", (True, True))[1] is False or ADMIN in {*before} - {*after}


async def _store_roles(session: AsyncSession, known: Any, moves: Sequence[Move]) -> None:
    given, taken = [], []
    moment = now()
    for move in moves:
        before, after = move.changes["roles"]
        given += [
            {"user_id": move.id, "role_id": known[name][0], "created_at": moment} for name in {*after} - {*before}
        ]
        taken += [{"of_user": move.id, "of_role": known[name][0]} for name in {*before} - {*after}]
        if move.new:
            record(
                session,
                action="user.updated",
                resource="users",
                resource_id=move.id,
                changes={"roles": ([*before], [*after])},
            )
    connection = await session.connection()
    if given:
        insert = insert_into(UserRole.__table__, connection.dialect)  # type: ignore[arg-type]
        await connection.execute(insert.on_conflict_do_nothing(), given)
    if taken:
        table = UserRole.__table__
        of_one = (table.c.user_id == bindparam("of_user"), table.c.role_id == bindparam("of_role"))
        await connection.execute(delete(UserRole).where(*of_one), taken)


async def _store_preferences(session: AsyncSession, moves: Sequence[Move]) -> None:
    if not moves:
        return
    moment = now()
    rows = []
    for move in moves:
        before, after = move.changes["preferences"]
        rows.append({"user_id": move.id, "document": after, "version": 1, "created_at": moment, "updated_at": moment})
        record_updated(session, Preferences, {"user_id": move.id}, {"document": (before, after)})
    connection = await session.connection()
    table: Any = Preferences.__table__
    insert = insert_into(table, connection.dialect)
    changed = {
        "document": insert.excluded.document,
        "updated_at": insert.excluded.updated_at,
        "version": table.c.version + 1,
    }
    await connection.execute(insert.on_conflict_do_update(index_elements=[table.c.user_id], set_=changed), rows)


IMPORT = Import(
    User,
    title="users",
    create=schemas.UserImport,
    view=schemas.UserExport,
    match=("external_id", "email"),
    related=RolesAndPreferences(),
)

EXPORT = Export("users", queries.EXPORTED, schemas.UserExport, schemas.UserParameters, title="users")
