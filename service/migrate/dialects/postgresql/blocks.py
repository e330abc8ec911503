"""PL/pgSQL DO blocks, for changes whose statements depend on the catalog."""

from service.migrate.dialects.ddl import LONGEST_NAME, literal, regclass


def name_not_null(table: str, *columns: str) -> str:
    """Rename NOT NULL constraints after their columns: PostgreSQL 18 names them, and a rename keeps the old name."""
    names = ", ".join(f"({literal(column)}, {literal(_not_null_name(table, column))})" for column in columns)
    return f"""DO $name$
DECLARE
  given record;
BEGIN
  FOR given IN
    SELECT conname, wanted FROM (VALUES {names}) AS named (attname, wanted) JOIN pg_attribute USING (attname)
    JOIN pg_constraint ON conrelid = attrelid AND conkey = ARRAY[attnum]
    WHERE attrelid = {regclass(table)} AND contype = 'n' AND conname <> wanted
  LOOP
    EXECUTE format('ALTER TABLE %I RENAME CONSTRAINT %I TO %I', {literal(table)}, given.conname, given.wanted);
  END LOOP;
END $name$"""


def _not_null_name(table: str, column: str) -> str:
    """The name that PostgreSQL gives: it truncates the longer of the two names until the whole fits."""
    label = "_not_null"
    one, two = table.encode(), column.encode()
    while len(one) + len(two) + 1 + len(label) > LONGEST_NAME:
        one, two = (one[:-1], two) if len(one) > len(two) else (one, two[:-1])
    return f"{one.decode(errors='ignore')}_{two.decode(errors='ignore')}{label}"


def carry_index_comment(index: str, to: str) -> str:
    """Give an index the comment of another one, which is about to be dropped."""
    return f"""DO $comment$
DECLARE
  kept text := obj_description({regclass(index)}, 'pg_class');
BEGIN
  IF kept IS NOT NULL THEN
    EXECUTE format('COMMENT ON INDEX %I IS %L', {literal(to)}, kept);
  END IF;
END $comment$"""


def touch_triggers(table: str) -> str:
    """Replace each PL/pgSQL trigger function of a table by itself, so that every session recompiles the function.

    A session caches a function with the column types of its first run; after a type change every row would fail.
    """
    return f"""DO $touch$
DECLARE
  used record;
BEGIN
  FOR used IN
    SELECT DISTINCT pg_proc.oid FROM pg_trigger JOIN pg_proc ON pg_proc.oid = tgfoid
    JOIN pg_language ON pg_language.oid = prolang
    WHERE tgrelid = {regclass(table)} AND NOT tgisinternal AND lanname = 'plpgsql' AND pg_has_role(proowner, 'USAGE')
  LOOP
    EXECUTE pg_get_functiondef(used.oid);
  END LOOP;
END $touch$"""
