"""Functions, views, triggers, policies and rules on a script's tables that no revision made: only a run reads them."""

import re
from collections.abc import Collection, Iterator
from pathlib import Path

from alembic.script import ScriptDirectory

from service.migrate import naming
from service.migrate.dialects.ddl import literal
from service.migrate.plan.plan import Phase
from service.migrate.plan.revisions import plans
from service.migrate.run.scripts.text import array, raised

_CREATED = re.compile(
    r"""\bCREATE\s+(?:OR\s+REPLACE\s+)?(?:CONSTRAINT\s+)?(?:FUNCTION|PROCEDURE|TRIGGER|VIEW|POLICY|RULE)\s+"""
    r"""(?:"((?:[^"]|"")+)"|(\w+))""",
    re.IGNORECASE,
)
# Objects of extensions belong to nobody's schema changes.
_OBJECTS = """
SELECT 'function ' || proname, proname, prosrc, p.oid FROM pg_proc p JOIN pg_namespace n ON n.oid = pronamespace
WHERE nspname NOT IN ('pg_catalog', 'information_schema') AND NOT starts_with(nspname, 'pg_')
UNION ALL SELECT 'view ' || relname, relname, pg_get_viewdef(c.oid), c.oid FROM pg_class c
JOIN pg_namespace n ON n.oid = relnamespace WHERE relkind IN ('v', 'm') AND nspname NOT IN ('pg_catalog',
  'information_schema')
UNION ALL SELECT 'trigger ' || tgname, tgname, relname::text, t.oid FROM pg_trigger t JOIN pg_class c ON c.oid = tgrelid
WHERE NOT tgisinternal
UNION ALL SELECT 'policy ' || polname, polname, relname || ' ' || coalesce(pg_get_expr(polqual, polrelid), '') || ' '
  || coalesce(pg_get_expr(polwithcheck, polrelid), ''), p.oid FROM pg_policy p JOIN pg_class c ON c.oid = polrelid
UNION ALL SELECT 'rule ' || rulename, rulename, relname::text, r.oid FROM pg_rewrite r
JOIN pg_class c ON c.oid = ev_class WHERE rulename <> '_RETURN'
"""


def no_strangers(directory: ScriptDirectory, tables: Collection[str], online: str) -> Iterator[str]:
    """Statements that raise if an object that no revision made mentions one of the tables."""
    if not tables:
        return
    names = "|".join(sorted(re.escape(each) for each in tables))
    pattern = rf"(^|\W)({names})(\W|$)"
    asked = (
        f"SELECT described FROM ({_OBJECTS.strip()}) AS found (described, name, definition, object) "
        f"WHERE definition ~* {literal(pattern)} AND name <> ALL ({array(_made(directory))}) "
        f"AND NOT starts_with(name, {literal(naming.current().prefix)}) "
        "AND NOT EXISTS (SELECT FROM pg_depend WHERE objid = object AND deptype = 'e') ORDER BY 1 LIMIT 1"
    )
    yield f"IF EXISTS ({asked}) THEN"
    uses = f"({asked}) || ', which no revision made, uses a table of this script. Run '"
    advice = literal(f"{online} on the database, which checks what depends on its steps.")
    yield f"  {raised('The ', f'{uses} || {advice}')}"
    yield "END IF;"


def _made(directory: ScriptDirectory) -> list[str]:
    """The names that the revisions give to functions, views, triggers, policies and rules."""
    scripts = list(directory.walk_revisions())
    texts = [Path(script.path).read_text(encoding="utf-8") for script in scripts]
    for each in plans(scripts, "postgresql"):
        for phase in Phase:
            texts += [statement for step in each.steps(phase) for statement in step.statements]
    found = (match for text in texts for match in _CREATED.finditer(text))
    return sorted({match[1] or match[2].lower() for match in found})
