"""Where Alembic meets the database: the engine of service.db, run_sync, and the runner."""

from logging.config import fileConfig

from alembic import context
from sqlalchemy import Connection

from service.db.engine import Purpose, create_engine
from service.migrate.entrypoints import environment
from service.migrate.run.locking.waiting import disposed
from service.models import Base

config = context.config
handed_in = config.attributes.get("connection")


def migrate(connection: Connection) -> None:
    environment.run(context, connection, Base.metadata)


async def connect_and_migrate() -> None:
    engine = create_engine(environment.url(context), Purpose.MIGRATE, limits=environment.LIMITS)
    async with disposed(engine), engine.connect() as connection:
        await connection.run_sync(migrate)


if config.cmd_opts is not None and config.config_file_name is not None:
    # On the command line nobody else has set up logging.
    fileConfig(config.config_file_name, disable_existing_loggers=False)

with environment.explained(context):
    if context.is_offline_mode():
        environment.write_script(context, Base.metadata)
    elif environment.is_draft(config):
        environment.draft(context, Base.metadata)
    elif handed_in is not None:
        migrate(handed_in)
    else:
        environment.in_a_loop(connect_and_migrate)
