"""Alembic's environment for the library: its tables, its names and its database."""

import os

from alembic import context
from library.models import Base

from service.migrate.entrypoints import environment
from service.migrate.naming import Naming

LIBRARY = Naming(
    prefix="library_",
    application="library",
    version="2.1",
    database_setting="LIBRARY_DATABASE_URL",
)


def url() -> str:
    return os.environ.get("LIBRARY_DATABASE_URL", "sqlite:///library.db")


environment.main(context, Base.metadata, LIBRARY, url=url)
