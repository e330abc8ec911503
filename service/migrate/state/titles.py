"""Translation of step titles that earlier versions wrote to ledgers into the titles of this version."""

import re

# Earlier title, current title: with them, this version completes a run that an earlier version began.
_EARLIER = (
    (r"bring the table (.+) back", r"RESTORE TABLE \1 FROM TRASH"),
    (r"bring (.+) back", r"RESTORE COLUMN \1 FROM TRASH"),
    (r"keep the table (.+) aside", r"MOVE TABLE \1 TO TRASH"),
    (r"keep (.+) aside", r"MOVE COLUMN \1 TO TRASH"),
    (r"create the table (.+)", r"CREATE TABLE \1"),
    (r"drop the table (.+)", r"DROP TABLE \1"),
    (r"rename (.+) to (.+), and keep the old name as a view", r"RENAME TABLE \1 TO \2, CREATE VIEW \1"),
    (r"rename (.+) to (.+)", r"RENAME TABLE \1 TO \2"),
    (r"keep (.+) as a view of (.+)", r"CREATE VIEW \1 AS TABLE \2"),
    (r"drop the view (.+)", r"DROP VIEW \1"),
    (r"make (.+), a twin of (.+)", r"CREATE MIRROR TABLE \1 OF \2"),
    (r"drop (.+), the twin of (.+)", r"DROP MIRROR TABLE \1 OF \2"),
    (r"give (.+) the name of its twin (.+)", r"RENAME TABLE \1 TO \2, DROP MIRROR TABLE \2"),
    (r"add the column (.+)", r"ADD COLUMN \1"),
    (r"drop the column (.+)", r"DROP COLUMN \1"),
    (r"set the default of (.+)", r"SET DEFAULT \1"),
    (r"drop the default of (.+)", r"DROP DEFAULT \1"),
    (r"check that new rows have (.+)", r"ADD CHECK (\1 IS NOT NULL) NOT VALID"),
    (r"check that all rows have (.+)", r"VALIDATE CHECK (\1 IS NOT NULL)"),
    (r"check no more that new rows have (.+)", r"DROP CHECK (\1 IS NOT NULL)"),
    (r"let (.+) be NULL no more", r"SET NOT NULL \1"),
    (r"let (.+) be NULL", r"DROP NOT NULL \1"),
    (r"change the type of (.+), and keep its values aside", r"SET DATA TYPE \1, COPY OLD VALUES TO TRASH"),
    (r"change the type of (.+)", r"SET DATA TYPE \1"),
    (r"let (.+) be of its old type", r"SWAP COLUMN \1 TO OLD TYPE"),
    (r"let (.+) be of its new type", r"SWAP COLUMN \1 TO NEW TYPE"),
    (r"write (.+) again in its old type", r"REWRITE COLUMN \1 IN OLD TYPE"),
    (r"build the index (.+) of (.+)", r"CREATE INDEX CONCURRENTLY \1 ON \2"),
    (r"build the unique index (.+) of (.+)", r"CREATE UNIQUE INDEX CONCURRENTLY \1 ON \2"),
    (r"build the indexes of (.+)", r"CREATE INDEXES CONCURRENTLY ON \1"),
    (r"drop the index (.+) of (.+)", r"DROP INDEX CONCURRENTLY \1 ON \2"),
    (r"look at what (.+) holds, for (.+)", r"ANALYZE \1 FOR \2"),
    (r"hold new rows of (.+) to (.+)", r"ADD CONSTRAINT \2 ON \1 NOT VALID"),
    (r"hold all rows of (.+) to (.+)", r"VALIDATE CONSTRAINT \2 ON \1"),
    (r"hold new rows to the checks of (.+)", r"ADD CHECKS OF \1 NOT VALID"),
    (r"hold new rows to the foreign keys of (.+)", r"ADD FOREIGN KEYS OF \1 NOT VALID"),
    (r"hold all rows to the constraints of (.+)", r"VALIDATE CONSTRAINTS OF \1"),
    (r"make (.+) a constraint of (.+)", r"ADD CONSTRAINT \1 ON \2 USING INDEX"),
    (r"replace (.+) of (.+) by (.+)", r"REPLACE CONSTRAINT \1 ON \2 BY \3"),
    (r"replace (.+) of (.+)", r"REPLACE CONSTRAINT \1 ON \2"),
    (r"let rows of (.+) follow what (.+) lost while they were kept aside", r"APPLY ON DELETE OF \2 TO \1"),
    (r"create the trigger (.+) of (.+)", r"CREATE TRIGGER \1 ON \2"),
    (r"drop the trigger (.+) of (.+)", r"DROP TRIGGER \1 ON \2"),
    (r"create the function (.+)", r"CREATE FUNCTION \1"),
    (r"drop the function (.+)", r"DROP FUNCTION \1"),
    (r"add (.+) to (.+)", r"ADD CONSTRAINT \1 ON \2"),
    (r"drop (.+) of (.+)", r"DROP CONSTRAINT \1 ON \2"),
    (r"leave (.+) as it was to the way back", r"KEEP COLUMN \1 FOR DOWNGRADE"),
    (r"leave the column (.+) to the way back", r"KEEP COLUMN \1 FOR DOWNGRADE"),
    (r"leave (.+) to the way back", r"BACKFILL \1 ON DOWNGRADE"),
    (r"fill (.+)", r"BACKFILL \1"),
    (r"drop (\S+)", r"PURGE \1"),
)
_PATTERNS = tuple((re.compile(earlier), now) for earlier, now in _EARLIER)
_UNDO = "take back: "


def current(title: str, dialect: str) -> str:
    """The current title for a title of any version; the reason of an `ops.execute` is unchanged."""
    if title.startswith(_UNDO):
        return f"UNDO: {current(title.removeprefix(_UNDO), dialect)}"
    for pattern, now in _PATTERNS:
        if found := pattern.fullmatch(title):
            title = found.expand(now)
            return title if dialect == "postgresql" else title.replace(" CONCURRENTLY", "")
    return title


def is_same(stored: str, title: str, dialect: str) -> bool:
    """Whether a stored title belongs to the step with this title."""
    return title in (stored, current(stored, dialect))
