"""SQL text of create_table and drop_table: the trash, and each foreign key as a step."""

import pytest

from tests.migrate.operations.written import DIALECTS, Case
from tests.migrate.project import Project

CASES = {
    "create_table": Case(
        up="""
        ops.create_table(
            "u",
            sa.Column("id", sa.Integer(), nullable=False),
            sa.Column("t_id", sa.Integer()),
            sa.PrimaryKeyConstraint("id", name="pk_u"),
            sa.ForeignKeyConstraint(["t_id"], ["t.id"], name="fk_u_t_id_t"),
            sa.Index("ix_u_t_id", "t_id"),
        )
        """,
        postgresql="""
        expand:
        ? Rows of u violate FOREIGN KEY (t_id) REFERENCES t: parents were deleted while the rows were in the trash
        - RESTORE TABLE u FROM TRASH (ACCESS EXCLUSIVE on _trash_0002_u, if need be)
            ALTER TABLE _trash_0002_u RENAME TO u
          < MOVE TABLE u TO TRASH (ACCESS EXCLUSIVE on u)
            DO $$ BEGIN IF (SELECT EXISTS (SELECT 1 FROM u)) THEN ALTER TABLE u RENAME TO _trash_0002_u; END IF; END
              $$
          < DROP TABLE u (ACCESS EXCLUSIVE on u)
            DROP TABLE IF EXISTS u
        - CREATE TABLE u (none)
            CREATE TABLE u ( id SERIAL NOT NULL, t_id INTEGER, CONSTRAINT pk_u PRIMARY KEY (id) )
            CREATE INDEX ix_u_t_id ON u (t_id)
          < MOVE TABLE u TO TRASH (ACCESS EXCLUSIVE on u)
            DO $$ BEGIN IF (SELECT EXISTS (SELECT 1 FROM u)) THEN ALTER TABLE u RENAME TO _trash_0002_u; END IF; …
          < DROP TABLE u (ACCESS EXCLUSIVE on u)
            DROP TABLE IF EXISTS u
        - ADD CONSTRAINT fk_u_t_id_t ON u NOT VALID (SHARE ROW EXCLUSIVE on u, t)
            ALTER TABLE u ADD CONSTRAINT fk_u_t_id_t FOREIGN KEY(t_id) REFERENCES t (id) NOT VALID
          < DROP CONSTRAINT fk_u_t_id_t ON u (ACCESS EXCLUSIVE on u, t)
            ALTER TABLE u DROP CONSTRAINT fk_u_t_id_t
        - VALIDATE CONSTRAINT fk_u_t_id_t ON u (SHARE UPDATE EXCLUSIVE on u)
            ALTER TABLE u VALIDATE CONSTRAINT fk_u_t_id_t
        """,
        sqlite="""
        expand:
        ? Rows of u violate FOREIGN KEY (t_id) REFERENCES t: parents were deleted while the rows were in the trash
        - RESTORE TABLE u FROM TRASH (ACCESS EXCLUSIVE on _trash_0002_u, if need be): there is nothing to do
          < MOVE TABLE u TO TRASH (ACCESS EXCLUSIVE on u): there is nothing to do
          < DROP TABLE u (ACCESS EXCLUSIVE on u): there is nothing to do
        - CREATE TABLE u (none)
            CREATE TABLE u ( id INTEGER NOT NULL, t_id INTEGER, CONSTRAINT pk_u PRIMARY KEY (id) )
            CREATE INDEX ix_u_t_id ON u (t_id)
          < MOVE TABLE u TO TRASH (ACCESS EXCLUSIVE on u)
          < DROP TABLE u (ACCESS EXCLUSIVE on u)
            DROP TABLE IF EXISTS u
        - ADD CONSTRAINT fk_u_t_id_t ON u (ACCESS EXCLUSIVE on u)
            = CREATE TABLE u ( id INTEGER NOT NULL, t_id INTEGER, CONSTRAINT pk_u PRIMARY KEY (id), CONSTRAINT
              fk_u_t_id_t FOREIGN KEY(t_id) REFERENCES t (id) )
          < DROP CONSTRAINT fk_u_t_id_t ON u (ACCESS EXCLUSIVE on u)
            = CREATE TABLE u ( id INTEGER NOT NULL, t_id INTEGER, CONSTRAINT pk_u PRIMARY KEY (id) )
        """,
    ),
    "create_table with a foreign key that lets go": Case(
        up="""
        ops.create_table(
            "u",
            sa.Column("t_id", sa.Integer()),
            sa.ForeignKeyConstraint(["t_id"], ["t.id"], name="fk_u_t_id_t", ondelete="CASCADE"),
        )
        """,
        postgresql="""
        expand:
        - RESTORE TABLE u FROM TRASH (ACCESS EXCLUSIVE on _trash_0002_u, if need be)
            ALTER TABLE _trash_0002_u RENAME TO u
          < MOVE TABLE u TO TRASH (ACCESS EXCLUSIVE on u)
            DO $$ BEGIN IF (SELECT EXISTS (SELECT 1 FROM u)) THEN ALTER TABLE u RENAME TO _trash_0002_u; END IF; END
              $$
          < DROP TABLE u (ACCESS EXCLUSIVE on u)
            DROP TABLE IF EXISTS u
        - CREATE TABLE u (none)
            CREATE TABLE u ( t_id INTEGER )
          < MOVE TABLE u TO TRASH (ACCESS EXCLUSIVE on u)
            DO $$ BEGIN IF (SELECT EXISTS (SELECT 1 FROM u)) THEN ALTER TABLE u RENAME TO _trash_0002_u; END IF; …
          < DROP TABLE u (ACCESS EXCLUSIVE on u)
            DROP TABLE IF EXISTS u
        - ADD CONSTRAINT fk_u_t_id_t ON u NOT VALID (SHARE ROW EXCLUSIVE on u, t)
            ALTER TABLE u ADD CONSTRAINT fk_u_t_id_t FOREIGN KEY(t_id) REFERENCES t (id) ON DELETE CASCADE NOT VALID
          < DROP CONSTRAINT fk_u_t_id_t ON u (ACCESS EXCLUSIVE on u, t)
            ALTER TABLE u DROP CONSTRAINT fk_u_t_id_t
        - APPLY ON DELETE OF t TO u (none, if need be)
            DELETE FROM u AS child WHERE child.t_id IS NOT NULL AND NOT EXISTS (SELECT 1 FROM t AS parent WHERE
              parent.id = child.t_id)
        - VALIDATE CONSTRAINT fk_u_t_id_t ON u (SHARE UPDATE EXCLUSIVE on u)
            ALTER TABLE u VALIDATE CONSTRAINT fk_u_t_id_t
        """,
        sqlite="""
        expand:
        - RESTORE TABLE u FROM TRASH (ACCESS EXCLUSIVE on _trash_0002_u, if need be): there is nothing to do
          < MOVE TABLE u TO TRASH (ACCESS EXCLUSIVE on u): there is nothing to do
          < DROP TABLE u (ACCESS EXCLUSIVE on u): there is nothing to do
        - CREATE TABLE u (none)
            CREATE TABLE u ( t_id INTEGER )
          < MOVE TABLE u TO TRASH (ACCESS EXCLUSIVE on u)
          < DROP TABLE u (ACCESS EXCLUSIVE on u)
            DROP TABLE IF EXISTS u
        - APPLY ON DELETE OF t TO u (none, if need be)
            DELETE FROM u AS child WHERE child.t_id IS NOT NULL AND NOT EXISTS (SELECT 1 FROM t AS parent WHERE
              parent.id = child.t_id)
        - ADD CONSTRAINT fk_u_t_id_t ON u (ACCESS EXCLUSIVE on u)
            = CREATE TABLE u ( t_id INTEGER, CONSTRAINT fk_u_t_id_t FOREIGN KEY(t_id) REFERENCES t (id) ON DELETE
              CASCADE )
          < DROP CONSTRAINT fk_u_t_id_t ON u (ACCESS EXCLUSIVE on u)
            = CREATE TABLE u ( t_id INTEGER )
        """,
    ),
    "create_table, derived": Case(
        up="""
        ops.create_table(
            "u",
            sa.Column("t_id", sa.Integer()),
            sa.ForeignKeyConstraint(["t_id"], ["t.id"], name="fk_u_t_id_t", ondelete="CASCADE"),
            derived=True,
        )
        """,
        postgresql="""
        expand:
        - CREATE TABLE u (none)
            CREATE TABLE u ( t_id INTEGER )
          < DROP TABLE u (ACCESS EXCLUSIVE on u)
            DROP TABLE IF EXISTS u
        - ADD CONSTRAINT fk_u_t_id_t ON u NOT VALID (SHARE ROW EXCLUSIVE on u, t)
            ALTER TABLE u ADD CONSTRAINT fk_u_t_id_t FOREIGN KEY(t_id) REFERENCES t (id) ON DELETE CASCADE NOT VALID
          < DROP CONSTRAINT fk_u_t_id_t ON u (ACCESS EXCLUSIVE on u, t)
            ALTER TABLE u DROP CONSTRAINT fk_u_t_id_t
        - VALIDATE CONSTRAINT fk_u_t_id_t ON u (SHARE UPDATE EXCLUSIVE on u)
            ALTER TABLE u VALIDATE CONSTRAINT fk_u_t_id_t
        """,
        sqlite="""
        expand:
        - CREATE TABLE u (none)
            CREATE TABLE u ( t_id INTEGER )
          < DROP TABLE u (ACCESS EXCLUSIVE on u)
            DROP TABLE IF EXISTS u
        - ADD CONSTRAINT fk_u_t_id_t ON u (ACCESS EXCLUSIVE on u)
            = CREATE TABLE u ( t_id INTEGER, CONSTRAINT fk_u_t_id_t FOREIGN KEY(t_id) REFERENCES t (id) ON DELETE
              CASCADE )
          < DROP CONSTRAINT fk_u_t_id_t ON u (ACCESS EXCLUSIVE on u)
            = CREATE TABLE u ( t_id INTEGER )
        """,
    ),
    "drop_table": Case(
        tables=(
            "CREATE TABLE t (id INTEGER PRIMARY KEY)",
            "CREATE TABLE u (t_id INTEGER, CONSTRAINT fk_u_t_id_t FOREIGN KEY (t_id) REFERENCES t (id))",
            "CREATE INDEX ix_u_t_id ON u (t_id)",
        ),
        contract="""
        ops.drop_table(
            "u",
            sa.Column("t_id", sa.Integer()),
            sa.ForeignKeyConstraint(["t_id"], ["t.id"], name="fk_u_t_id_t"),
            sa.Index("ix_u_t_id", "t_id"),
        )
        """,
        postgresql="""
        contract:
        ? u cannot be dropped before its dependents
        ? u cannot be dropped, since the text of these may name it
        - DROP CONSTRAINT fk_u_t_id_t ON u (ACCESS EXCLUSIVE on u, t)
            ALTER TABLE u DROP CONSTRAINT fk_u_t_id_t
          < ADD CONSTRAINT fk_u_t_id_t ON u NOT VALID (SHARE ROW EXCLUSIVE on u, t)
            ALTER TABLE u ADD CONSTRAINT fk_u_t_id_t FOREIGN KEY(t_id) REFERENCES t (id) NOT VALID
          < VALIDATE CONSTRAINT fk_u_t_id_t ON u (SHARE UPDATE EXCLUSIVE on u)
            ALTER TABLE u VALIDATE CONSTRAINT fk_u_t_id_t
        - MOVE TABLE u TO TRASH (ACCESS EXCLUSIVE on u)
            ALTER TABLE u RENAME TO _trash_0002_u
          < CREATE TABLE u (none, if need be)
            CREATE TABLE u ( t_id INTEGER )
            CREATE INDEX ix_u_t_id ON u (t_id)
          < RESTORE TABLE u FROM TRASH (ACCESS EXCLUSIVE on _trash_0002_u)
            ALTER TABLE _trash_0002_u RENAME TO u
        purge:
        - DROP TABLE _trash_0002_u (ACCESS EXCLUSIVE on _trash_0002_u)
            DROP TABLE IF EXISTS _trash_0002_u
        """,
        sqlite="""
        contract:
        ? u cannot be dropped before its dependents
        ? u cannot be dropped, since the text of these may name it
        - DROP CONSTRAINT fk_u_t_id_t ON u (ACCESS EXCLUSIVE on u, t)
            = CREATE TABLE u (t_id INTEGER)
          < ADD CONSTRAINT fk_u_t_id_t ON u (ACCESS EXCLUSIVE on u)
            = CREATE TABLE u (t_id INTEGER, CONSTRAINT fk_u_t_id_t FOREIGN KEY(t_id) REFERENCES t (id))
        - MOVE TABLE u TO TRASH (ACCESS EXCLUSIVE on u)
            ALTER TABLE u RENAME TO _trash_0002_u
          < CREATE TABLE u (none, if need be): there is nothing to do
          < RESTORE TABLE u FROM TRASH (ACCESS EXCLUSIVE on _trash_0002_u)
            ALTER TABLE _trash_0002_u RENAME TO u
        purge:
        - DROP TABLE _trash_0002_u (ACCESS EXCLUSIVE on _trash_0002_u)
            DROP TABLE IF EXISTS _trash_0002_u
        """,
    ),
}


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize("case", CASES)
def test_tables_come_and_go_with_their_rows(project: Project, case: str, dialect: str) -> None:
    assert CASES[case].written(project, dialect) == CASES[case].expected(dialect)
