"""The policy knows every operation, and PostgreSQL's catalog has nothing that the inventory does not know."""

import inspect

import asyncpg

from service.migrate import ops
from service.migrate.dialects.attributes import Attribute
from service.migrate.operations.survey import policy
from tests.migrate.operations.survey.changes import CHANGES

OPERATIONS = {name for name, value in inspect.getmembers(ops, inspect.isfunction) if value.__module__ == ops.__name__}
# New tables and functions, SQL of the revision's own, and what reads or fills rows alone.
WITHOUT_RULES = {"create_table", "function", "drop_function", "execute", "refill", "refuse_if_any", "undo"}
# The columns of a table's and of a column's row in the catalog: a new one may be something that belongs to them.
CLASS = """
oid relname relnamespace reltype reloftype relowner relam relfilenode reltablespace relpages reltuples relallvisible
relallfrozen reltoastrelid relhasindex relisshared relpersistence relkind relnatts relchecks relhasrules relhastriggers
relhassubclass relrowsecurity relforcerowsecurity relispopulated relreplident relispartition relrewrite relfrozenxid
relminmxid relacl reloptions relpartbound
"""
ATTRIBUTE = """
attrelid attname atttypid attlen attnum attcacheoff atttypmod attndims attbyval attalign attstorage attcompression
attnotnull atthasdef atthasmissing attidentity attgenerated attisdropped attislocal attinhcount attcollation
attstattarget attacl attoptions attfdwoptions attmissingval
"""


def test_every_operation_is_in_the_policy() -> None:
    assert policy.ALL - {policy.FILL, policy.REFERENCED, "backfill"} == OPERATIONS - WITHOUT_RULES
    assert CHANGES.keys() == policy.ALL - {policy.REFERENCED, "backfill", "drop_trigger"}


def test_an_operation_that_the_policy_does_not_know_is_refused_by_every_rule() -> None:
    assert all(policy.rule("new_operation", attribute) for attribute in policy.RULES)
    assert policy.rule("rename_column", Attribute.OWNER) is None


def test_a_refusal_has_a_reason_and_a_cure() -> None:
    for rule in policy.RULES.values():
        for text in (rule.reason, rule.cure):
            assert "{" not in text.format(name="n", definition="d")
            assert not text.endswith(".")


async def test_the_catalog_has_no_columns_that_are_new(postgres_admin_url: str) -> None:
    connection = await asyncpg.connect(postgres_admin_url)
    asked = "SELECT attname FROM pg_attribute WHERE attrelid = $1::text::regclass AND attnum > 0"
    for table, known in (("pg_class", CLASS), ("pg_attribute", ATTRIBUTE)):
        rows = await connection.fetch(asked, table)
        assert {row["attname"] for row in rows} <= {*known.split()}
    await connection.close()
