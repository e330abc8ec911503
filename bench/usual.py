"""The usual application: Litestar's dependencies and SQLAlchemy's ORM entities, as their documentations show."""

import os
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager

import msgspec
from litestar import Litestar, get, patch, post
from litestar.datastructures import State
from litestar.exceptions import ClientException, NotFoundException
from litestar.status_codes import HTTP_409_CONFLICT
from sqlalchemy import select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker, create_async_engine
from sqlalchemy.orm import selectinload, undefer

from bench import cursors
from bench.garbage import settle
from service.db.urls import parse_url
from service.employees import schemas as employees
from service.models import DepartmentEmployee, Employee, User
from service.users import schemas as users

_sessions = async_sessionmaker(expire_on_commit=False)


@asynccontextmanager
async def hold_engine(app: Litestar) -> AsyncIterator[None]:
    engine = create_async_engine(parse_url(os.environ["ROSTER_DATABASE_URL"]))
    app.state.engine = engine
    try:
        yield
    finally:
        await engine.dispose()


async def provide_session(state: State) -> AsyncGenerator[AsyncSession, None]:
    async with _sessions(bind=state.engine) as session:
        try:
            async with session.begin():
                yield session
        except IntegrityError as error:
            raise ClientException(status_code=HTTP_409_CONFLICT, detail=str(error)) from error


def shown(user: User, roles: list[str]) -> users.User:
    stored = [name for name in users.User.__struct_fields__ if name != "roles"]
    return users.User(**{name: getattr(user, name) for name in stored}, roles=roles)


@get("/v1/users")
async def list_users(session: AsyncSession, limit: int = 50, cursor: str | None = None) -> users.UserPage:
    query = select(User).options(undefer(User.roles)).order_by(User.id).limit(limit + 1)
    if cursor is not None:
        query = query.where(User.id > cursors.read(cursor.encode()))
    found = (await session.scalars(query)).all()
    following = cursors.write(found[limit - 1].id) if len(found) > limit else None
    return users.UserPage(items=[shown(user, user.roles) for user in found[:limit]], next_cursor=following)


@get("/v1/users/{user_id:int}")
async def get_user(session: AsyncSession, user_id: int) -> users.User:
    user = await _load(session, user_id)
    return shown(user, user.roles)


@post("/v1/users")
async def create_user(session: AsyncSession, data: users.UserCreate) -> users.User:
    user = User(**msgspec.structs.asdict(data))
    session.add(user)
    await session.flush()
    return shown(user, [])


@patch("/v1/users/{user_id:int}")
async def update_user(session: AsyncSession, user_id: int, data: users.UserUpdate) -> users.User:
    user = await _load(session, user_id, lock=True)
    # A flush expires what a subquery computed.
    roles = user.roles
    for name, value in msgspec.structs.asdict(data).items():
        if value is not msgspec.UNSET:
            setattr(user, name, value)
    await session.flush()
    return shown(user, roles)


@get("/v1/employees/{employee_id:int}")
async def get_employee(session: AsyncSession, employee_id: int, include: str | None = None) -> employees.EmployeeShown:
    query = select(Employee).where(Employee.id == employee_id)
    if include == "departments":
        query = query.options(selectinload(Employee.memberships).joinedload(DepartmentEmployee.department))
    employee = await session.scalar(query)
    if employee is None:
        raise NotFoundException
    return employees.EmployeeShown(
        id=employee.id,
        external_id=employee.external_id,
        name=employee.name,
        user_id=employee.user_id,
        job_title=employee.job_title,
        hired_on=employee.hired_on,
        version=employee.version,
        created_at=employee.created_at,
        updated_at=employee.updated_at,
        departments=[
            employees.EmployeeDepartment(
                department_id=link.department.id,
                external_id=link.department.external_id,
                name=link.department.name,
                from_date=link.from_date,
                to_date=link.to_date,
                version=link.version,
            )
            for link in sorted(employee.memberships, key=lambda link: link.department_id)
        ],
    )


async def _load(session: AsyncSession, id: int, *, lock: bool = False) -> User:
    user = await session.get(User, id, options=[undefer(User.roles)], with_for_update=lock)
    if user is None:
        raise NotFoundException
    return user


def application() -> Litestar:
    """The application factory."""
    handlers = [list_users, get_user, create_user, update_user, get_employee]
    app = Litestar(handlers, dependencies={"session": provide_session}, lifespan=[hold_engine])
    settle()
    return app
