"""Where PostgreSQL's catalog has what a table and its columns are."""

from service.migrate.dialects.attributes import Attribute
from service.migrate.dialects.postgresql.part import COLUMN, Part, of_column

# The catalogs whose rows this program knows as dependents of a table, and the kinds of dependency.
KNOWN_CATALOGS = (
    "pg_attrdef",
    "pg_class",
    "pg_constraint",
    "pg_policy",
    "pg_proc",
    "pg_publication_rel",
    "pg_rewrite",
    "pg_statistic_ext",
    "pg_trigger",
    "pg_type",
)
_KNOWN = ", ".join(f"'{name}'::regclass" for name in KNOWN_CATALOGS)
_PUBLISHED = (
    "pg_publication p JOIN t ON puballtables OR EXISTS (SELECT FROM pg_publication_rel WHERE prpubid = p.oid "
    "AND prrelid = t.oid) OR EXISTS (SELECT FROM pg_publication_namespace WHERE pnpubid = p.oid AND pnnspid = "
    "relnamespace)"
)
# A sequence that a column owns, and every default that takes numbers from it.
_OWNED = "d JOIN pg_sequence s ON d.classid = 'pg_class'::regclass AND s.seqrelid = d.objid AND d.deptype = 'a'"
_OTHER_TAKERS = (
    "pg_depend u ON u.classid = 'pg_attrdef'::regclass AND u.refclassid = 'pg_class'::regclass AND "
    "u.refobjid = d.objid "
    "JOIN pg_attrdef v ON u.objid = v.oid AND (adrelid, adnum) <> (d.refobjid, d.refobjsubid) "
    "JOIN pg_attribute o ON (o.attrelid, o.attnum) = (adrelid, adnum)"
)

# PostgreSQL 18 names NOT NULL constraints; SET NOT NULL gives the name that follows, shortened if it is too long.
_NOT_NULL = "JOIN pg_constraint n ON conrelid = attrelid AND contype = 'n' AND conkey = ARRAY[attnum]"
_NAMED = "concat((SELECT relname FROM t), '_', attname, '_not_null')"
_HAS_OWN_NAME = (
    f"conname !~ '_not_null[0-9]*$' OR octet_length({_NAMED}) < 64 AND rtrim(conname, '0123456789') <> {_NAMED}"
)

PARTS: tuple[tuple[Attribute, Part], ...] = (
    (
        Attribute.DEFAULT,
        of_column(
            "attgenerated = ''",
            "pg_get_expr(adbin, adrelid)",
            more="JOIN pg_attrdef ON (adrelid, adnum) = (attrelid, attnum)",
        ),
    ),
    (
        Attribute.NOT_NULL,
        of_column(
            f"{_HAS_OWN_NAME} OR connoinherit OR obj_description(n.oid, 'pg_constraint') IS NOT NULL",
            f"concat_ws(', ', CASE WHEN {_HAS_OWN_NAME} THEN 'its name' END, CASE WHEN connoinherit THEN 'NO INHERIT' "
            "END, 'its comment ' || quote_literal(obj_description(n.oid, 'pg_constraint')))",
            name="conname",
            more=_NOT_NULL,
        ),
    ),
    (Attribute.NOT_NULL_NOT_VALID, of_column("NOT convalidated", "conname", name="conname", more=_NOT_NULL)),
    (
        Attribute.OWNED_SEQUENCE,
        Part(_OWNED, "d.objid::regclass", "format_type(seqtypid, NULL)", COLUMN.format("d.refobjsubid")),
    ),
    (
        Attribute.SHARED_SEQUENCE,
        Part(
            f"{_OWNED} JOIN {_OTHER_TAKERS}",
            "d.objid::regclass",
            "concat(o.attrelid::regclass, '.', o.attname)",
            COLUMN.format("d.refobjsubid"),
        ),
    ),
    (
        Attribute.IDENTITY,
        of_column("attidentity <> ''", "CASE attidentity WHEN 'a' THEN 'ALWAYS' ELSE 'BY DEFAULT' END"),
    ),
    (
        Attribute.GENERATED,
        of_column(
            "attgenerated <> ''",
            "concat(attgenerated, ' ', pg_get_expr(adbin, adrelid))",
            more="JOIN pg_attrdef ON (adrelid, adnum) = (attrelid, attnum)",
        ),
    ),
    (
        Attribute.PRIMARY_KEY,
        of_column(
            "true",
            "conname",
            more="JOIN pg_constraint ON conrelid = attrelid AND contype = 'p' AND attnum = ANY(conkey)",
        ),
    ),
    (
        Attribute.COLLATION,
        of_column(
            "attcollation NOT IN (0, typcollation)",
            "attcollation::regcollation",
            more="JOIN pg_type y ON y.oid = atttypid",
        ),
    ),
    (
        Attribute.STORAGE,
        of_column("attstorage <> typstorage", "attstorage", more="JOIN pg_type y ON y.oid = atttypid"),
    ),
    (Attribute.COMPRESSION, of_column("attcompression <> ''", "attcompression")),
    (Attribute.STATISTICS_TARGET, of_column("coalesce(attstattarget, -1) >= 0", "attstattarget")),
    (Attribute.COLUMN_OPTIONS, of_column("attoptions IS NOT NULL", "attoptions")),
    (
        Attribute.EXTENDED_STATISTICS,
        Part(
            "d JOIN pg_statistic_ext x ON classid = 'pg_statistic_ext'::regclass AND objid = x.oid",
            "stxname",
            "pg_get_statisticsobjdef(x.oid)",
            COLUMN.format("refobjsubid"),
        ),
    ),
    (
        Attribute.TABLE_COMMENT,
        Part("t WHERE obj_description(oid, 'pg_class') IS NOT NULL", definition="obj_description(oid, 'pg_class')"),
    ),
    (
        Attribute.COLUMN_COMMENT,
        of_column("col_description(attrelid, attnum) IS NOT NULL", "col_description(attrelid, attnum)"),
    ),
    (
        Attribute.OBJECT_COMMENT,
        Part(
            "(SELECT DISTINCT classid, objid FROM d WHERE NOT (classid, objid) = (refclassid, refobjid)) o "
            "JOIN pg_description n ON (classoid, objoid) = (classid, objid)",
            "pg_describe_object(classid, objid, 0)",
            "description",
        ),
    ),
    (Attribute.TABLE_OPTIONS, Part("t WHERE reloptions IS NOT NULL", definition="reloptions")),
    (
        Attribute.TABLESPACE,
        Part("t JOIN pg_tablespace s ON s.oid = reltablespace", "spcname"),
    ),
    (Attribute.ACCESS_METHOD, Part("t JOIN pg_am m ON m.oid = relam AND amname <> 'heap'", "amname")),
    (Attribute.CLUSTERED, Part("pg_index i JOIN t ON indrelid = t.oid AND indisclustered", "indexrelid::regclass")),
    (
        Attribute.REPLICA_IDENTITY,
        Part(
            "t LEFT JOIN pg_index i ON indrelid = t.oid AND indisreplident WHERE relkind IN ('r', 'p') "
            "AND relreplident <> 'd'",
            "coalesce(indexrelid::regclass::text, relname)",
            "relreplident",
        ),
    ),
    (
        Attribute.UNIDENTIFIED_ROWS,
        Part(
            f"{_PUBLISHED} WHERE pubupdate AND (relreplident = 'n' OR relreplident = 'd' AND NOT EXISTS ("
            "SELECT FROM pg_index WHERE indrelid = t.oid AND indisprimary))",
            "pubname",
        ),
    ),
    (
        Attribute.PUBLICATION,
        Part(
            f"{_PUBLISHED} LEFT JOIN pg_publication_rel r ON prpubid = p.oid AND prrelid = t.oid",
            "pubname",
            "concat_ws(' ', prattrs, pg_get_expr(prqual, prrelid))",
        ),
    ),
    (
        Attribute.SUBSCRIPTION,
        Part(
            "pg_subscription_rel r JOIN t ON srrelid = t.oid",
            "(SELECT subname FROM pg_subscription WHERE oid = srsubid)",
        ),
    ),
    (Attribute.UNLOGGED, Part("t WHERE relpersistence = 'u'")),
    (Attribute.TEMPORARY, Part("t WHERE relpersistence = 't'")),
    (Attribute.PARTITIONED, Part("t WHERE relkind = 'p'", definition="pg_get_partkeydef(oid)")),
    (
        Attribute.PARTITION_KEY,
        of_column(
            "attnum = ANY(partattrs) OR EXISTS (SELECT FROM d WHERE (objid, objsubid) = (attrelid, attnum) "
            "AND classid = refclassid AND refobjsubid = 0 AND deptype = 'i')",
            "pg_get_partkeydef(attrelid)",
            more="JOIN pg_partitioned_table k ON partrelid = attrelid",
        ),
    ),
    (
        Attribute.PARTITION,
        Part(
            "t JOIN pg_inherits i ON inhrelid = t.oid WHERE relispartition",
            "inhparent::regclass",
            "pg_get_expr(relpartbound, t.oid)",
        ),
    ),
    (
        Attribute.INHERITANCE_PARENT,
        Part("t JOIN pg_inherits i ON inhparent = t.oid WHERE relkind <> 'p'", "inhrelid::regclass"),
    ),
    (
        Attribute.INHERITANCE_CHILD,
        Part("t JOIN pg_inherits i ON inhrelid = t.oid WHERE NOT relispartition", "inhparent::regclass"),
    ),
    (Attribute.INHERITED_COLUMN, of_column("attinhcount > 0", "attinhcount")),
    (Attribute.FOREIGN_TABLE, Part("t WHERE relkind = 'f'")),
    (Attribute.TYPED_TABLE, Part("t WHERE reloftype <> 0", definition="reloftype::regtype")),
    (
        Attribute.ROW_TYPE,
        Part(
            "pg_depend u, t WHERE u.refclassid = 'pg_type'::regclass AND u.deptype = 'n' AND u.refobjid IN "
            "(SELECT y.oid FROM pg_type y WHERE t.reltype <> 0 AND t.reltype IN (y.oid, y.typelem))",
            "pg_describe_object(u.classid, u.objid, u.objsubid)",
        ),
    ),
    (
        Attribute.EXTENSION_MEMBER,
        Part(
            "pg_depend u JOIN t ON u.classid = 'pg_class'::regclass AND u.objid = t.oid AND u.deptype = 'e' "
            "JOIN pg_extension x ON x.oid = u.refobjid",
            "extname",
        ),
    ),
    (Attribute.VIEW, Part("t WHERE relkind IN ('v', 'm')", definition="relkind")),
    (
        Attribute.UNKNOWN_RELATION,
        Part("t WHERE relkind NOT IN ('r', 'p', 'f', 'v', 'm')", definition="relkind"),
    ),
    (
        Attribute.UNKNOWN_DEPENDENT,
        Part(
            f"(SELECT DISTINCT classid, objid, objsubid FROM d WHERE classid NOT IN ({_KNOWN}) "
            "OR deptype NOT IN ('n', 'a', 'i', 'P', 'S', 'e', 'x')) u",
            "pg_describe_object(classid, objid, objsubid)",
            "classid::regclass",
        ),
    ),
    (
        Attribute.UNKNOWN_DEPENDENT,
        Part(
            "pg_shdepend s JOIN t ON s.classid = 'pg_class'::regclass AND s.objid = t.oid AND dbid = "
            "(SELECT oid FROM pg_database WHERE datname = current_database()) "
            "WHERE s.deptype NOT IN ('o', 'a', 'i', 'r', 't')",
            "concat('an object of ', refclassid::regclass)",
            "s.deptype",
        ),
    ),
)
