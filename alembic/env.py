"""Alembic's environment for Roster: its models, its names and its database."""

from alembic import context

from service.db.database import direct_url
from service.migrate.entrypoints import environment
from service.models import Base
from service.naming import ROSTER
from service.settings import Settings

environment.main(context, Base.metadata, ROSTER, url=lambda: direct_url(Settings.from_env()))
