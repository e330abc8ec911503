"""Locks of the steps, derived from their SQL; under a blocking lock, only the catalog changes."""

import re
from collections.abc import Iterable, Sequence

from service.migrate.operations.step import Lock, Step
from tests.migrate.operations.every import plans, sequences, steps
from tests.migrate.project import Project

# https://www.postgresql.org/docs/current/explicit-locking.html: what a statement locks of a table that is there.
CATALOG = {
    r"ALTER TABLE \S+ RENAME( COLUMN \S+)? TO \S+": Lock.ACCESS_EXCLUSIVE,
    # With a constant for a default, or a moment that is the same for all rows.
    r"ALTER TABLE \S+ ADD COLUMN \S+ [A-Z ]+(\(\d+\))?( COLLATE \S+)?( DEFAULT ('[^']*'|\w+)( NOT NULL)?)?"
    r"(, ALTER COLUMN \S+ SET DEFAULT .+)?": Lock.ACCESS_EXCLUSIVE,
    r"ALTER TABLE \S+ DROP (COLUMN|CONSTRAINT)( IF EXISTS)? \S+": Lock.ACCESS_EXCLUSIVE,
    r"ALTER TABLE \S+ ALTER COLUMN \S+ (DROP NOT NULL|DROP DEFAULT|SET DEFAULT .+)": Lock.ACCESS_EXCLUSIVE,
    # Once all rows are checked; see below.
    r"ALTER TABLE \S+ ALTER COLUMN \S+ SET NOT NULL": Lock.ACCESS_EXCLUSIVE,
    r"ALTER TABLE \S+ ALTER COLUMN \S+ TYPE (VARCHAR\(\d+\)|TEXT)": Lock.ACCESS_EXCLUSIVE,
    r"ALTER TABLE \S+ ADD CONSTRAINT \S+ CHECK \(.+\) NOT VALID": Lock.ACCESS_EXCLUSIVE,
    r"ALTER TABLE \S+ ADD CONSTRAINT (\S+) UNIQUE USING INDEX \S+": Lock.ACCESS_EXCLUSIVE,
    r"ALTER TABLE \S+ ADD CONSTRAINT \S+ FOREIGN KEY.+ NOT VALID": Lock.SHARE_ROW_EXCLUSIVE,
    r"ALTER TABLE \S+ REPLICA IDENTITY (FULL|DEFAULT)": Lock.ACCESS_EXCLUSIVE,
    r"CREATE TRIGGER .+": Lock.SHARE_ROW_EXCLUSIVE,
    r"ALTER TABLE \S+ ENABLE ALWAYS TRIGGER \S+": Lock.SHARE_ROW_EXCLUSIVE,
    r"ALTER TABLE \S+ DROP CONSTRAINT \S+, ADD CONSTRAINT \S+ UNIQUE USING INDEX \S+": Lock.ACCESS_EXCLUSIVE,
    r"COMMENT ON (TABLE|COLUMN) \S+ IS .+": Lock.SHARE_UPDATE_EXCLUSIVE,
    r"DROP INDEX \S+": Lock.ACCESS_EXCLUSIVE,
    r"ALTER INDEX \S+ RENAME TO \S+": Lock.SHARE_UPDATE_EXCLUSIVE,
    r"DROP (TRIGGER|TABLE|VIEW) .+": Lock.ACCESS_EXCLUSIVE,
    r"CREATE (TABLE|VIEW) ((?!PARTITION OF).)+": Lock.NONE,
    # Of the partitioned table. Another partition than the default one also reads the rows of the default one.
    r"CREATE TABLE( IF NOT EXISTS)? \S+ PARTITION OF \S+ DEFAULT": Lock.ACCESS_EXCLUSIVE,
    r"(CREATE|CREATE OR REPLACE|DROP) FUNCTION .+": Lock.NONE,
    r"DO \$(name|shadow|storage|carry|columns|sequence)\$.+": Lock.ACCESS_EXCLUSIVE,
    r"DO \$comment\$.+": Lock.SHARE_UPDATE_EXCLUSIVE,
    r"SELECT set_config\(.+": Lock.NONE,
    r"DO \$(touch|grant|counted)\$.+": Lock.NONE,
    r"DO \$\$ BEGIN IF \(SELECT EXISTS \(SELECT 1 FROM \S+\)\) THEN ALTER TABLE \S+ RENAME TO \S+; END IF; END \$\$": (
        Lock.ACCESS_EXCLUSIVE
    ),
}
# These look at rows, or write them.
ROWS = {
    r"CREATE( UNIQUE)? INDEX CONCURRENTLY .+": Lock.SHARE_UPDATE_EXCLUSIVE,
    r"DROP INDEX CONCURRENTLY .+": Lock.SHARE_UPDATE_EXCLUSIVE,
    r"ALTER TABLE \S+ VALIDATE CONSTRAINT \S+": Lock.SHARE_UPDATE_EXCLUSIVE,
    r"ANALYZE \S+": Lock.SHARE_UPDATE_EXCLUSIVE,
    r"(UPDATE|DELETE FROM|INSERT INTO) .+": Lock.NONE,
    r"ALTER TABLE \S+ ALTER COLUMN \S+ TYPE .+ USING .+": Lock.ACCESS_EXCLUSIVE,
}


def every_sequence(project: Project) -> list[list[Step]]:
    return [steps(actions) for found in plans(project, "postgresql") for actions in sequences(found)]


def statements(step: Step) -> list[str]:
    """Those about tables that were there before the step."""
    made = [match[1] for each in step.statements if (match := re.match(r"CREATE TABLE (\S+)", each))]
    about = [rf"(CREATE (UNIQUE )?INDEX \S+ ON|INSERT INTO) {re.escape(name)}\b.*" for name in made]
    written = [each.strip() for each in step.statements]
    return [each for each in written if not any(re.fullmatch(one, each, re.DOTALL) for one in about)]


def known(statement: str) -> dict[str, Lock]:
    return {each: lock for each, lock in (CATALOG | ROWS).items() if re.fullmatch(each, statement, re.DOTALL)}


def strongest(locks: Iterable[Lock]) -> Lock:
    return max((Lock.NONE, *locks), key=list(Lock).index)


def is_checked(column: re.Match[str], before: Sequence[Step]) -> bool:
    """Whether all rows are known to have a value, by a check that is valid by then."""
    table, name = column[1], column[2]
    done = [statement for step in before for statement in step.statements]
    check = rf"ALTER TABLE {table} ADD CONSTRAINT (\S+) CHECK \({name} IS NOT NULL\) NOT VALID"
    checks = [match[1] for each in done if (match := re.fullmatch(check, each))]
    return any(f"ALTER TABLE {table} VALIDATE CONSTRAINT {each}" in done for each in checks)


def test_a_step_says_what_its_statements_lock(project: Project) -> None:
    for step in (step for sequence in every_sequence(project) for step in sequence):
        if step.generate is not None and not step.statements:
            # What it locks is in test_narrowing.py.
            continue
        locks = {each: list(known(each).values()) for each in statements(step)}
        # A statement must match exactly one of the patterns above.
        assert {each: len(found) for each, found in locks.items()} == dict.fromkeys(locks, 1)
        assert step.lock == strongest(lock for found in locks.values() for lock in found), step.title


def test_nobody_waits_while_rows_are_looked_at(project: Project) -> None:
    found = set()
    for sequence in every_sequence(project):
        for at, step in enumerate(sequence):
            if not step.lock.keeps_requests_waiting:
                continue
            for statement in statements(step):
                required = re.fullmatch(r"ALTER TABLE (\S+) ALTER COLUMN (\S+) SET NOT NULL", statement)
                if required is not None:
                    assert is_checked(required, sequence[:at]), step.title
                if not CATALOG.keys() & known(statement):
                    found.add(re.sub(r"\S+\.\S+", "…", step.title))
    # Only in a downgrade where a dependent cannot be built on a shadow column; cancelled after three seconds.
    assert found == {"REWRITE COLUMN … IN OLD TYPE"}


def test_only_what_cannot_be_in_a_transaction_is_alone(project: Project) -> None:
    for step in (step for sequence in every_sequence(project) for step in sequence):
        concurrently = any(" CONCURRENTLY " in each for each in step.statements)
        # Indexes are made of those that are there.
        assert step.alone == (concurrently or step.title.startswith("CREATE INDEXES ")), step.title
