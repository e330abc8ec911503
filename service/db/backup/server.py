"""What a restore has to know of a PostgreSQL server before it begins."""

from dataclasses import dataclass

from sqlalchemy import URL, text

from service.db.engine import Purpose, create_engine

_OBJECTS = text(
    "SELECT count(*) FROM pg_class JOIN pg_namespace AS space ON space.oid = relnamespace "
    "WHERE nspname !~ '^pg_' AND nspname <> 'information_schema' AND NOT EXISTS ("
    "SELECT FROM pg_depend WHERE classid = 'pg_class'::regclass AND objid = pg_class.oid AND deptype = 'e')"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """The server's major version, and whether anything is in the database that did not come with an extension."""

    major: int
    empty: bool


async def ask(url: URL) -> Server:
    """Ask the server; raises what the driver raises if it cannot be reached."""
    engine = create_engine(url, Purpose.READ)
    try:
        async with engine.connect() as connection:
            number = int((await connection.execute(text("SHOW server_version_num"))).scalar_one())
            objects = (await connection.execute(_OBJECTS)).scalar_one()
    finally:
        await engine.dispose()
    return Server(major=number // 10_000, empty=not objects)
