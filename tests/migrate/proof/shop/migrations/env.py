"""Alembic's environment for the shop."""

import sqlalchemy as sa
from alembic import context

from service.migrate.entrypoints import environment
from service.migrate.naming import Naming

SHOP = Naming(prefix="shop_", application="shop", database_setting="SHOP_DATABASE_URL")

METADATA = sa.MetaData()

environment.main(context, METADATA, SHOP)
