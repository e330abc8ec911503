"""The DO blocks that other texts abbreviate, in full."""

import pytest

from tests.migrate.operations.every import CASES, sequences, steps
from tests.migrate.operations.written import text
from tests.migrate.project import Project

BLOCKS = {
    # PostgreSQL 18 names each NOT NULL, and keeps that name when its table or column gets another.
    "name": (
        "rename_table",
        """
        DO $name$
        DECLARE
          given record;
        BEGIN
          FOR given IN
            SELECT conname, wanted FROM (VALUES ('id', 't_id_not_null', 'u_id_not_null'),
              ('c', 't_c_not_null', 'u_c_not_null'))
            AS named (attname, former, wanted) JOIN pg_attribute USING (attname)
            JOIN pg_constraint ON conrelid = attrelid AND conkey = ARRAY[attnum]
            WHERE attrelid = to_regclass('u') AND contype = 'n' AND conname = former
          LOOP
            EXECUTE format('ALTER TABLE %I RENAME CONSTRAINT %I TO %I', 'u', given.conname, given.wanted);
          END LOOP;
        END $name$
        """,
    ),
    # Whoever may do something with the table may do it through the view.
    "grant": (
        "rename_table",
        """
        DO $grant$
        DECLARE
          given record;
        BEGIN
          FOR given IN
            SELECT DISTINCT CASE grantee WHEN 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(grantee)) END AS whom
            FROM pg_class, aclexplode(relacl) WHERE oid = to_regclass('t') AND grantee <> relowner
          LOOP
            EXECUTE format('REVOKE ALL ON %I FROM %s', 't', given.whom);
          END LOOP;
          FOR given IN
            SELECT privilege_type, names,
              CASE grantee WHEN 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(grantee)) END
              || CASE WHEN is_grantable AND grantee <> relowner THEN ' WITH GRANT OPTION' ELSE '' END AS whom
            FROM pg_class t, LATERAL (
              SELECT '' AS names, coalesce(relacl, acldefault('r', relowner)) AS acl
              UNION ALL SELECT format(' (%I)', attname), attacl FROM pg_attribute WHERE attrelid = t.oid
              AND attnum > 0 AND NOT attisdropped AND attname IN (
                SELECT attname FROM pg_attribute WHERE attrelid = to_regclass('t'))
            ) AS held, aclexplode(acl)
            WHERE oid = to_regclass('u') AND privilege_type IN ('SELECT', 'INSERT', 'UPDATE', 'DELETE')
          LOOP
            EXECUTE format('GRANT %s%s ON %I TO %s', given.privilege_type, given.names, 't', given.whom);
          END LOOP;
        END $grant$
        """,
    ),
    # A session that ran a trigger's function before would fail at the new type for as long as it lives.
    "touch": (
        "change_type that PostgreSQL only notes down",
        """
        DO $touch$
        DECLARE
          used record;
        BEGIN
          FOR used IN
            SELECT DISTINCT pg_proc.oid FROM pg_trigger JOIN pg_proc ON pg_proc.oid = tgfoid
            JOIN pg_language ON pg_language.oid = prolang
            WHERE tgrelid = to_regclass('t') AND NOT tgisinternal AND lanname = 'plpgsql'
            AND pg_has_role(proowner, 'USAGE')
          LOOP
            EXECUTE pg_get_functiondef(used.oid);
          END LOOP;
        END $touch$
        """,
    ),
}


@pytest.mark.parametrize("block", BLOCKS)
def test_a_block_does_what_one_statement_cannot(project: Project, block: str) -> None:
    case, expected = BLOCKS[block]
    found = [
        statement
        for actions in sequences(CASES[case].planned(project, "postgresql"))
        for step in steps(actions)
        for statement in step.statements
    ]
    (first, *_) = [each for each in found if each.startswith(f"DO ${block}$")]
    assert " ".join(first.split()) == " ".join(text(expected).split())
