"""Steps and statements that several operations on tables share."""

from service.migrate.dialects import ddl, predicates
from service.migrate.operations.step import Lock, Step, Target


def rename_table(name: str, to: str) -> str:
    return f"ALTER TABLE {ddl.quoted(name)} RENAME TO {ddl.quoted(to)}"


def dropped(target: Target, name: str) -> Step:
    return Step(
        title=f"DROP TABLE {name}",
        lock=Lock.ACCESS_EXCLUSIVE,
        tables=(name,),
        done=predicates.negated(predicates.has_table(target.dialect, name)),
        statements=(f"DROP TABLE IF EXISTS {ddl.quoted(name)}",),
    )
