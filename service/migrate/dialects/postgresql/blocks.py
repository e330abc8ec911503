"""PL/pgSQL DO blocks, for changes whose statements depend on the catalog."""

from service.migrate.dialects.ddl import LONGEST_NAME, inner_name, literal, quoted, regclass


def rename_not_null(table: str, to: str, *columns: str) -> str:
    """Rename NOT NULL constraints after the new name of their table, where they have the name of the former.

    PostgreSQL 18 names them, and RENAME TO keeps the names.
    """
    names = ", ".join(
        f"({literal(each)}, {literal(_not_null_name(table, each))}, {literal(_not_null_name(to, each))})"
        for each in columns
    )
    return f"""DO $name$
DECLARE
  given record;
BEGIN
  FOR given IN
    SELECT conname, wanted FROM (VALUES {names}) AS named (attname, former, wanted) JOIN pg_attribute USING (attname)
    JOIN pg_constraint ON conrelid = attrelid AND conkey = ARRAY[attnum]
    WHERE attrelid = {regclass(to)} AND contype = 'n' AND conname = former
  LOOP
    EXECUTE format('ALTER TABLE %I RENAME CONSTRAINT %I TO %I', {literal(to)}, given.conname, given.wanted);
  END LOOP;
END $name$"""


def carry_not_null(table: str, column: str, to: str) -> str:
    """Give a column's NOT NULL the name, the comment and the NO INHERIT of another column, which loses its own.

    PostgreSQL 18 has these in constraints; without two of them the block does nothing.
    """
    alter, on = f"ALTER TABLE {quoted(table)}", f"ON {quoted(table)}"
    gone = inner_name(f"{column}_was_not_null")
    return f"""DO $name$
DECLARE
  kept record;
  own name;
BEGIN
  SELECT conname, connoinherit, obj_description(n.oid, 'pg_constraint') AS comment INTO kept {_NOT_NULL_OF}
    WHERE attrelid = {regclass(table)} AND attname = {literal(column)} AND contype = 'n';
  SELECT conname INTO own {_NOT_NULL_OF}
    WHERE attrelid = {regclass(table)} AND attname = {literal(to)} AND contype = 'n';
  IF kept.conname IS NULL OR own IS NULL THEN
    RETURN;
  END IF;
  EXECUTE format({literal(f"{alter} RENAME CONSTRAINT %I TO {quoted(gone)}")}, kept.conname);
  EXECUTE format({literal(f"{alter} RENAME CONSTRAINT %I TO %I")}, own, kept.conname);
  IF kept.connoinherit THEN
    EXECUTE format({literal(f"{alter} ALTER CONSTRAINT %I NO INHERIT")}, kept.conname);
  END IF;
  IF kept.comment IS NOT NULL THEN
    EXECUTE format({literal(f"COMMENT ON CONSTRAINT %I {on} IS %L")}, kept.conname, kept.comment);
  END IF;
END $name$"""


_NOT_NULL_OF = "FROM pg_attribute JOIN pg_constraint n ON conrelid = attrelid AND conkey = ARRAY[attnum]"


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
