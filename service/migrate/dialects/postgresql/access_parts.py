"""Where PostgreSQL's catalog has who uses a table, and what happens when they do."""

from service.migrate.dialects.attributes import Attribute
from service.migrate.dialects.postgresql.part import COLUMN, Part

_PRIVILEGE = (
    "concat_ws(' ', g.privilege_type, CASE WHEN g.is_grantable THEN 'WITH GRANT OPTION' END, "
    "'by', pg_get_userbyid(g.grantor))"
)
_GRANTEE = "CASE g.grantee WHEN 0 THEN 'PUBLIC' ELSE pg_get_userbyid(g.grantee) END"
# Timing by the bits of tgtype: https://github.com/postgres/postgres/blob/master/src/include/catalog/pg_trigger.h
_TRIGGER = "pg_trigger g JOIN t ON tgrelid = t.oid AND NOT tgisinternal AND NOT starts_with(tgname, {prefix}) AND "
_TRIGGERED = "pg_get_triggerdef(g.oid)"


def _trigger(condition: str, definition: str = _TRIGGERED) -> Part:
    return Part(_TRIGGER + condition, "tgname", definition)


PARTS: tuple[tuple[Attribute, Part], ...] = (
    (Attribute.OWNER, Part("t", "pg_get_userbyid(relowner)")),
    (
        Attribute.OTHER_OWNER,
        Part("t WHERE NOT pg_has_role(relowner, 'USAGE')", "pg_get_userbyid(relowner)", "current_user"),
    ),
    (Attribute.UNREADABLE, Part("t WHERE NOT has_table_privilege(oid, 'SELECT')", "current_user")),
    (Attribute.UNREFERABLE, Part("t WHERE NOT has_table_privilege(oid, 'REFERENCES')", "current_user")),
    (Attribute.TABLE_GRANT, Part("t, aclexplode(relacl) g", _GRANTEE, _PRIVILEGE)),
    (Attribute.COLUMN_GRANT, Part("a, aclexplode(attacl) g", _GRANTEE, _PRIVILEGE, "attname")),
    (
        Attribute.ROW_SECURITY,
        Part(
            "t WHERE relrowsecurity OR relforcerowsecurity",
            definition="concat_ws(' ', CASE WHEN relrowsecurity THEN 'enabled' END, "
            "CASE WHEN relforcerowsecurity THEN 'forced' END)",
        ),
    ),
    (
        Attribute.HIDDEN_ROWS,
        Part("t WHERE relkind IN ('r', 'p') AND row_security_active(oid)", definition="current_user"),
    ),
    (
        Attribute.POLICY,
        Part(
            "pg_policy p JOIN t ON polrelid = t.oid",
            "polname",
            "concat_ws(' ', polcmd, polpermissive, polroles::regrole[], 'USING', pg_get_expr(polqual, polrelid), "
            "'CHECK', pg_get_expr(polwithcheck, polrelid))",
        ),
    ),
    (
        Attribute.SECURITY_LABEL,
        Part(
            "pg_seclabel l JOIN t ON classoid = 'pg_class'::regclass AND objoid = t.oid",
            "provider",
            "label",
            COLUMN.format("objsubid"),
        ),
    ),
    (Attribute.BEFORE_ROW_TRIGGER, _trigger("tgtype & 67 = 3")),
    (Attribute.AFTER_ROW_TRIGGER, _trigger("tgtype & 67 = 1 AND tgconstraint = 0")),
    (Attribute.STATEMENT_TRIGGER, _trigger("tgtype & 1 = 0")),
    (Attribute.INSTEAD_OF_TRIGGER, _trigger("tgtype & 64 <> 0")),
    (Attribute.CONSTRAINT_TRIGGER, _trigger("tgconstraint <> 0")),
    (Attribute.DISABLED_TRIGGER, _trigger("tgenabled = 'D'")),
    (Attribute.REPLICA_TRIGGER, _trigger("tgenabled = 'R'")),
    (Attribute.ALWAYS_TRIGGER, _trigger("tgenabled = 'A'")),
    (
        Attribute.RULE,
        Part("pg_rewrite r JOIN t ON ev_class = t.oid AND ev_type <> '1'", "rulename", "pg_get_ruledef(r.oid)"),
    ),
)
