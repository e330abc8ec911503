"""DO blocks that give a column, or a view, what belongs to the column or table that it replaces."""

from service.migrate.dialects.ddl import literal, quoted, regclass

# Numeric types that a sequence can have too.
_WHOLE = "'smallint'::regtype, 'integer'::regtype, 'bigint'::regtype"
_KEPT_STORAGE = "migration.storage"


def carry_column(table: str, column: str, to: str) -> str:
    """Give a column the privileges, comment, statistics target, options, storage and compression of another one.

    A comment of its own stays; storage and compression only where its type can have them.
    """
    return f"""DO $carry$
DECLARE
  one pg_attribute;
  other pg_attribute;
  given record;
  change text := {literal(f"ALTER TABLE {quoted(table)} ALTER COLUMN {quoted(to)} SET ")};
BEGIN
  SELECT * INTO one FROM pg_attribute WHERE attrelid = {regclass(table)} AND attname = {literal(column)};
  SELECT * INTO other FROM pg_attribute WHERE attrelid = {regclass(table)} AND attname = {literal(to)};
  FOR given IN
    SELECT privilege_type, CASE grantee WHEN 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(grantee)) END AS whom,
      CASE WHEN is_grantable THEN ' WITH GRANT OPTION' END AS more
    FROM aclexplode(one.attacl)
  LOOP
    EXECUTE format('GRANT %s (%I) ON %I TO %s', given.privilege_type, {literal(to)}, {literal(table)},
      given.whom || coalesce(given.more, ''));
  END LOOP;
  IF col_description(other.attrelid, other.attnum) IS NULL AND col_description(one.attrelid, one.attnum) IS NOT NULL
  THEN
    EXECUTE format('COMMENT ON COLUMN %I.%I IS %L', {literal(table)}, {literal(to)},
      col_description(one.attrelid, one.attnum));
  END IF;
  IF coalesce(one.attstattarget, -1) >= 0 THEN
    EXECUTE change || 'STATISTICS ' || one.attstattarget;
  END IF;
  IF one.attoptions IS NOT NULL THEN
    EXECUTE change || '(' || array_to_string(one.attoptions, ', ') || ')';
  END IF;
  IF other.attstorage <> 'p' THEN
    IF one.attstorage <> (SELECT typstorage FROM pg_type WHERE oid = one.atttypid) THEN
      EXECUTE change || 'STORAGE ' || {_storage("one.attstorage")};
    END IF;
    IF one.attcompression <> '' THEN
      EXECUTE change || 'COMPRESSION ' || {_compression("one.attcompression")};
    END IF;
  END IF;
END $carry$"""


def move_default(table: str, column: str, to: str) -> str:
    """Move a default that takes numbers from a sequence, and the column's own sequence, to another column.

    Only one of the two columns may take a number for a row. The sequence becomes as wide as its new column.
    """
    alter = f"ALTER TABLE {quoted(table)} ALTER COLUMN"
    return f"""DO $sequence$
DECLARE
  moved record;
BEGIN
  FOR moved IN
    SELECT pg_get_expr(adbin, adrelid) AS value, o.objid::regclass AS owned,
      CASE WHEN n.atttypid IN ({_WHOLE}) THEN format_type(n.atttypid, NULL) END AS kind
    FROM pg_attribute c JOIN pg_attrdef v ON (adrelid, adnum) = (c.attrelid, c.attnum)
    JOIN pg_attribute n ON n.attrelid = c.attrelid AND n.attname = {literal(to)}
    JOIN pg_depend u ON u.classid = 'pg_attrdef'::regclass AND u.objid = v.oid AND u.refclassid = 'pg_class'::regclass
    JOIN pg_sequence s ON s.seqrelid = u.refobjid
    LEFT JOIN pg_depend o ON o.classid = 'pg_class'::regclass AND o.objid = s.seqrelid AND o.deptype = 'a'
      AND o.refobjid = c.attrelid AND o.refobjsubid = c.attnum
    WHERE c.attrelid = {regclass(table)} AND c.attname = {literal(column)}
  LOOP
    EXECUTE {literal(f"{alter} {quoted(to)} SET DEFAULT ")} || moved.value;
    EXECUTE {literal(f"{alter} {quoted(column)} DROP DEFAULT")};
    IF moved.owned IS NOT NULL THEN
      EXECUTE format('ALTER SEQUENCE %s OWNED BY %I.%I', moved.owned, {literal(table)}, {literal(to)});
      IF moved.kind IS NOT NULL THEN
        EXECUTE format('ALTER SEQUENCE %s AS %s', moved.owned, moved.kind);
      END IF;
    END IF;
  END LOOP;
END $sequence$"""


def remember_storage(table: str, column: str) -> str:
    """Keep the column's storage and compression for `restore_storage`: ALTER COLUMN TYPE resets both."""
    return (
        f"SELECT set_config('{_KEPT_STORAGE}', concat(CASE WHEN attstorage <> typstorage THEN attstorage END, ',', "
        "attcompression), true) FROM pg_attribute JOIN pg_type ON pg_type.oid = atttypid "
        f"WHERE attrelid = {regclass(table)} AND attname = {literal(column)}"
    )


def restore_storage(table: str, column: str) -> str:
    """Give the column, after ALTER COLUMN TYPE in the same transaction, the storage and compression it had before."""
    return f"""DO $storage$
DECLARE
  kept text[] := string_to_array(current_setting('{_KEPT_STORAGE}'), ',');
  change text := {literal(f"ALTER TABLE {quoted(table)} ALTER COLUMN {quoted(column)} SET ")};
BEGIN
  IF kept[1] <> '' THEN
    EXECUTE change || 'STORAGE ' || {_storage("kept[1]")};
  END IF;
  IF kept[2] <> '' THEN
    EXECUTE change || 'COMPRESSION ' || {_compression("kept[2]")};
  END IF;
END $storage$"""


def grant_as_others(table: str, column: str) -> str:
    """Give the new column each privilege that a role has on every other column by itself.

    Such a role may read and write whole rows; without the privilege `SELECT *` would be denied.
    """
    return f"""DO $columns$
DECLARE
  given record;
BEGIN
  FOR given IN
    WITH others AS (
      SELECT attacl FROM pg_attribute WHERE attrelid = {regclass(table)} AND attnum > 0 AND NOT attisdropped
      AND attname <> {literal(column)} AND NOT starts_with(attname, '_trash_')
    )
    SELECT privilege_type, CASE grantee WHEN 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(grantee)) END AS whom,
      CASE WHEN bool_and(is_grantable) THEN ' WITH GRANT OPTION' ELSE '' END AS more
    FROM others, aclexplode(attacl) GROUP BY privilege_type, grantee
    HAVING count(*) = (SELECT count(*) FROM others)
  LOOP
    EXECUTE format('GRANT %s (%I) ON %I TO %s', given.privilege_type, {literal(column)}, {literal(table)},
      given.whom || given.more);
  END LOOP;
END $columns$"""


def grant_as(table: str, view: str) -> str:
    """Give the view exactly the privileges of the table and its columns, as default privileges may have given others.

    The owner of the table, who may be another role than the owner of the view, has the privileges of the owner.
    """
    return f"""DO $grant$
DECLARE
  given record;
BEGIN
  FOR given IN
    SELECT DISTINCT CASE grantee WHEN 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(grantee)) END AS whom
    FROM pg_class, aclexplode(relacl) WHERE oid = {regclass(view)} AND grantee <> relowner
  LOOP
    EXECUTE format('REVOKE ALL ON %I FROM %s', {literal(view)}, given.whom);
  END LOOP;
  FOR given IN
    SELECT privilege_type, names, CASE grantee WHEN 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(grantee)) END
      || CASE WHEN is_grantable AND grantee <> relowner THEN ' WITH GRANT OPTION' ELSE '' END AS whom
    FROM pg_class t, LATERAL (
      SELECT '' AS names, coalesce(relacl, acldefault('r', relowner)) AS acl
      UNION ALL SELECT format(' (%I)', attname), attacl FROM pg_attribute WHERE attrelid = t.oid
      AND attnum > 0 AND NOT attisdropped AND attname IN (
        SELECT attname FROM pg_attribute WHERE attrelid = {regclass(view)})
    ) AS held, aclexplode(acl)
    WHERE oid = {regclass(table)} AND privilege_type IN ('SELECT', 'INSERT', 'UPDATE', 'DELETE')
  LOOP
    EXECUTE format('GRANT %s%s ON %I TO %s', given.privilege_type, given.names, {literal(view)}, given.whom);
  END LOOP;
END $grant$"""


def _storage(letter: str) -> str:
    names = " ".join(
        f"WHEN '{each}' THEN '{name}'"
        for each, name in {"p": "PLAIN", "e": "EXTERNAL", "m": "MAIN", "x": "EXTENDED"}.items()
    )
    return f"CASE {letter} {names} END"


def _compression(letter: str) -> str:
    return f"CASE {letter} WHEN 'p' THEN 'pglz' WHEN 'l' THEN 'lz4' END"
