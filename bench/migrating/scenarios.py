"""The measured changes: each as a revision with `ops`, and with Alembic's `op`."""

from collections.abc import Callable
from dataclasses import dataclass

import sqlalchemy as sa
from alembic.operations import Operations

Change = Callable[[Operations], object]

# Columns and tables of the changes, created before the measurement; the service does not use them.
SETUP = """
ops.add_column("users", sa.Column("sample_nickname", sa.String(50)))
ops.add_column("users", sa.Column("score", sa.Text()))
ops.add_column("users", sa.Column("kind", sa.Integer(), server_default=sa.text("1"), nullable=False))
ops.add_column("users", sa.Column("rank", sa.Integer(), server_default=sa.text("1")))
ops.add_column("users", sa.Column("manager_id", sa.BigInteger()))
ops.create_table("notes", sa.Column("id", sa.BigInteger(), sa.Identity(), nullable=False),
                 sa.Column("body", sa.Text()), sa.PrimaryKeyConstraint("id", name="pk_notes"))
ops.create_index("ix_users_sample_nickname", "users", ["sample_nickname"])
ops.add_check("users", "ck_users_kind", "kind > 0")
"""
# Every tenth row has no sample_nickname.
FILL = """
UPDATE users SET sample_nickname = CASE WHEN id % 10 > 0 THEN 'nick' || id END, score = (id % 1000)::text
"""

_USERS = (
    "id name email age address external_id active name_key email_key version created_at updated_at "
    "sample_nickname score kind rank manager_id"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """One change: the bodies of `upgrade()` and `contract()`, and upgrade and downgrade with Alembic's `op`.

    `contract` is empty where the running service, the old version, still uses what the contract removes.
    """

    name: str
    upgrade: str
    plain_up: Change
    plain_down: Change
    contract: str = ""
    backfill: str = ""


def _fill_sample_nickname(op: Operations) -> None:
    op.execute("UPDATE users SET sample_nickname = 'nick' || id WHERE sample_nickname IS NULL")
    op.alter_column("users", "sample_nickname", nullable=False)


def _score_to_integer(op: Operations) -> None:
    op.alter_column("users", "score", type_=sa.Integer(), postgresql_using="score::integer")


def _score_to_text(op: Operations) -> None:
    op.alter_column("users", "score", type_=sa.Text(), postgresql_using="score::text")


def _follow(op: Operations) -> None:
    op.add_column("users", sa.Column("nick_key", sa.String(50)))
    op.execute("UPDATE users SET nick_key = lower(sample_nickname)")


def _stay(op: Operations) -> None:
    op.execute("CREATE FUNCTION stay() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NEW; END $$")
    op.execute("CREATE TRIGGER stay BEFORE UPDATE ON users FOR EACH ROW EXECUTE FUNCTION stay()")


def _go(op: Operations) -> None:
    op.execute("DROP TRIGGER stay ON users")
    op.execute("DROP FUNCTION stay()")


SCENARIOS = (
    Scenario(
        name="create_table",
        upgrade="""
ops.create_table("badges", sa.Column("id", sa.BigInteger(), sa.Identity(), nullable=False),
                 sa.Column("user_id", sa.BigInteger(), nullable=False),
                 sa.PrimaryKeyConstraint("id", name="pk_badges"),
                 sa.ForeignKeyConstraint(["user_id"], ["users.id"], name="fk_badges_user_id_users"))
""",
        plain_up=lambda op: op.create_table(
            "badges",
            sa.Column("id", sa.BigInteger(), sa.Identity(), primary_key=True),
            sa.Column("user_id", sa.BigInteger(), sa.ForeignKey("users.id"), nullable=False),
        ),
        plain_down=lambda op: op.drop_table("badges"),
    ),
    Scenario(
        name="drop_table",
        upgrade="pass",
        contract="""
ops.drop_table("notes", sa.Column("id", sa.BigInteger(), sa.Identity(), nullable=False),
               sa.Column("body", sa.Text()), sa.PrimaryKeyConstraint("id", name="pk_notes"))
""",
        plain_up=lambda op: op.drop_table("notes"),
        plain_down=lambda op: op.create_table(
            "notes", sa.Column("id", sa.BigInteger(), sa.Identity(), primary_key=True), sa.Column("body", sa.Text())
        ),
    ),
    Scenario(
        name="rename_table",
        upgrade=f'ops.rename_table("users", "people", {_USERS.split()!r})',
        plain_up=lambda op: op.rename_table("users", "people"),
        plain_down=lambda op: op.rename_table("people", "users"),
    ),
    Scenario(
        name="add_column",
        upgrade="""
ops.add_column("users", sa.Column("motto", sa.Text(), server_default=sa.text("'-'"), nullable=False))
""",
        plain_up=lambda op: op.add_column(
            "users", sa.Column("motto", sa.Text(), server_default=sa.text("'-'"), nullable=False)
        ),
        plain_down=lambda op: op.drop_column("users", "motto"),
    ),
    Scenario(
        name="drop_column",
        upgrade="pass",
        contract='ops.drop_column("users", sa.Column("manager_id", sa.BigInteger()))',
        plain_up=lambda op: op.drop_column("users", "manager_id"),
        plain_down=lambda op: op.add_column("users", sa.Column("manager_id", sa.BigInteger())),
    ),
    Scenario(
        name="rename_column",
        upgrade='ops.rename_column("users", sa.Column("address", sa.String(100)), sa.Column("street", sa.String(100)))',
        plain_up=lambda op: op.alter_column("users", "address", new_column_name="street"),
        plain_down=lambda op: op.alter_column("users", "street", new_column_name="address"),
    ),
    Scenario(
        name="change_type, wider",
        upgrade="""
ops.change_type("users", sa.Column("address", sa.String(100)), sa.Column("address", sa.String(120)))
""",
        plain_up=lambda op: op.alter_column("users", "address", type_=sa.String(120)),
        plain_down=lambda op: op.alter_column("users", "address", type_=sa.String(100)),
    ),
    Scenario(
        name="change_type, another",
        upgrade="""
ops.change_type("users", sa.Column("score", sa.Text()), sa.Column("score", sa.Integer()),
                using="{}::integer", back="{}::text")
""",
        contract="pass",
        plain_up=_score_to_integer,
        plain_down=_score_to_text,
    ),
    Scenario(
        name="set_not_null, filled",
        upgrade="""ops.set_not_null("users", "sample_nickname", fill="'nick' || id")""",
        plain_up=_fill_sample_nickname,
        plain_down=lambda op: op.alter_column("users", "sample_nickname", nullable=True),
    ),
    Scenario(
        name="set_not_null",
        upgrade="pass",
        contract='ops.set_not_null("users", "rank")',
        plain_up=lambda op: op.alter_column("users", "rank", nullable=False),
        plain_down=lambda op: op.alter_column("users", "rank", nullable=True),
    ),
    Scenario(
        name="drop_not_null",
        upgrade='ops.drop_not_null("users", "kind")',
        plain_up=lambda op: op.alter_column("users", "kind", nullable=True),
        plain_down=lambda op: op.alter_column("users", "kind", nullable=False),
    ),
    Scenario(
        name="set_default",
        upgrade='ops.set_default("users", "kind", "2", was="1")',
        plain_up=lambda op: op.alter_column("users", "kind", server_default=sa.text("2")),
        plain_down=lambda op: op.alter_column("users", "kind", server_default=sa.text("1")),
    ),
    Scenario(
        name="add_check",
        upgrade='ops.add_check("users", "ck_users_version", "version > 0")',
        plain_up=lambda op: op.create_check_constraint("ck_users_version", "users", "version > 0"),
        plain_down=lambda op: op.drop_constraint("ck_users_version", "users"),
    ),
    Scenario(
        name="add_unique",
        upgrade='ops.add_unique("users", "uq_users_sample_nickname", ["sample_nickname"])',
        plain_up=lambda op: op.create_unique_constraint("uq_users_sample_nickname", "users", ["sample_nickname"]),
        plain_down=lambda op: op.drop_constraint("uq_users_sample_nickname", "users"),
    ),
    Scenario(
        name="add_foreign_key",
        upgrade='ops.add_foreign_key("users", "fk_users_manager_id_users", ["manager_id"], "users")',
        plain_up=lambda op: op.create_foreign_key(
            "fk_users_manager_id_users", "users", "users", ["manager_id"], ["id"]
        ),
        plain_down=lambda op: op.drop_constraint("fk_users_manager_id_users", "users"),
    ),
    Scenario(
        name="drop_constraint",
        upgrade='ops.drop_constraint("users", sa.CheckConstraint("kind > 0", name="ck_users_kind"))',
        plain_up=lambda op: op.drop_constraint("ck_users_kind", "users"),
        plain_down=lambda op: op.create_check_constraint("ck_users_kind", "users", "kind > 0"),
    ),
    Scenario(
        name="create_index",
        upgrade='ops.create_index("ix_users_score_id", "users", ["score", "id"])',
        plain_up=lambda op: op.create_index("ix_users_score_id", "users", ["score", "id"]),
        plain_down=lambda op: op.drop_index("ix_users_score_id"),
    ),
    Scenario(
        name="drop_index",
        upgrade='ops.drop_index("ix_users_sample_nickname", "users", ["sample_nickname"])',
        plain_up=lambda op: op.drop_index("ix_users_sample_nickname"),
        plain_down=lambda op: op.create_index("ix_users_sample_nickname", "users", ["sample_nickname"]),
    ),
    Scenario(
        name="follow",
        upgrade="""
ops.add_column("users", sa.Column("nick_key", sa.String(50)), derived=True)
ops.follow("users", "nick_key", "sample_nickname", postgresql="lower(sample_nickname)", sqlite="lower(sample_nickname)")
""",
        backfill="""
ops.Backfill(
    name="users.nick_key",
    table="users",
    left="nick_key IS NULL AND sample_nickname IS NOT NULL",
    assign={"nick_key": "lower(sample_nickname)"},
)
""",
        contract="pass",
        plain_up=_follow,
        plain_down=lambda op: op.drop_column("users", "nick_key"),
    ),
    Scenario(
        name="trigger",
        upgrade="""
ops.function("stay", "CREATE FUNCTION stay() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NEW; END $$")
ops.trigger("stay", "users",
            postgresql="CREATE TRIGGER stay BEFORE UPDATE ON users FOR EACH ROW EXECUTE FUNCTION stay()")
""",
        plain_up=_stay,
        plain_down=_go,
    ),
)
