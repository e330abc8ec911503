"""Each directive of Alembic as the safe operation that comes to the same, and the phase that it belongs in."""

import ast
from collections.abc import Callable, Sequence
from typing import NamedTuple

from service.migrate.dialects import ddl
from service.migrate.proof.lint.fix.arguments import Directive, NotExact, reverse, same
from service.migrate.proof.lint.sql.schema import Schema


class Operation(NamedTuple):
    """The source of a call, and whether it belongs in contract()."""

    text: str
    in_contract: bool = False


class Around(NamedTuple):
    """What a translation may look at: the directives of downgrade(), and the schema before the revision."""

    downgrade: Sequence[Directive]
    schema: Schema


# Options of CREATE INDEX that the safe operation decides itself.
_DECIDED = ("index_name", "table_name", "columns", "postgresql_concurrently", "if_not_exists", "if_exists")
_EXISTING = (
    *("table_name", "column_name", "existing_type", "existing_nullable", "existing_server_default"),
    *("existing_comment", "existing_autoincrement"),
)


def operation(directive: Directive, around: Around) -> Operation:
    """The safe operation; raises NotExact if none comes to the same."""
    translate = _TRANSLATIONS.get(directive.name)
    if translate is None:
        raise NotExact(_REASONS.get(directive.name, "there is no such safe operation"))
    if "schema" in directive.given or "source_schema" in directive.given:
        raise NotExact("safe operations work in one schema")
    return translate(directive, around)


_REASONS = {
    "execute": "say why it is safe under traffic, with ops.execute or ops.Backfill",
    "bulk_insert": "rows are inserted with ops.execute or ops.Backfill",
    "batch_alter_table": "write the operations of the batch without it",
    "get_bind": "ops.Backfill(by=…) runs Python on rows, ops.refuse_if_any asks for rows",
    "get_context": "safe operations leave the transaction themselves where they must",
}


def _add_column(each: Directive, _: Around) -> Operation:
    each.only("table_name", "column")
    return Operation(f"ops.add_column({each.take('table_name')}, {each.take('column')})")


def _drop_column(each: Directive, around: Around) -> Operation:
    each.only("table_name", "column_name")
    table, name = each.take("table_name"), each.take("column_name")
    for other in around.downgrade:
        if other.name == "add_column" and same(other.given.get("table_name", ""), table):
            column = other.take("column")
            parsed = ast.parse(column, mode="eval").body
            if isinstance(parsed, ast.Call) and parsed.args and same(ast.unparse(parsed.args[0]), name):
                return Operation(f"ops.drop_column({table}, {column})", in_contract=True)
    raise NotExact("downgrade() has no op.add_column with its definition")


def _create_table(each: Directive, _: Around) -> Operation:
    arguments = ", ".join((each.take("table_name"), *each.items))
    return Operation(f"ops.create_table({arguments}{each.rest('table_name')})")


def _drop_table(each: Directive, around: Around) -> Operation:
    each.only("table_name")
    made = reverse(around.downgrade, "create_table", table_name=each.take("table_name"))
    arguments = ", ".join((made.take("table_name"), *made.items))
    return Operation(f"ops.drop_table({arguments}{made.rest('table_name')})", in_contract=True)


def _rename_table(each: Directive, around: Around) -> Operation:
    each.only("old_table_name", "new_table_name")
    table = each.take("old_table_name")
    columns = around.schema.table(str(ast.literal_eval(table))).columns
    if not columns:
        raise NotExact("the history does not tell its columns")
    return Operation(f"ops.rename_table({table}, {each.take('new_table_name')}, {list(columns)!r})".replace("'", '"'))


def _create_index(each: Directive, _: Around) -> Operation:
    return Operation(f"ops.create_index({_index(each)})")


def _index(each: Directive) -> str:
    return f"{each.take('index_name')}, {each.take('table_name')}, {each.take('columns')}{each.rest(*_DECIDED)}"


def _drop_index(each: Directive, around: Around) -> Operation:
    each.only(*_DECIDED)
    made = reverse(around.downgrade, "create_index", index_name=each.take("index_name"))
    return Operation(f"ops.drop_index({_index(made)})", in_contract=True)


def _create_foreign_key(each: Directive, _: Around) -> Operation:
    known = ("constraint_name", "source_table", "referent_table", "local_cols", "remote_cols")
    name, table, referred, own, others = (each.take(one) for one in known)
    return Operation(f"ops.add_foreign_key({table}, {name}, {own}, {referred}, {others}{each.rest(*known)})")


def _create_check(each: Directive, _: Around) -> Operation:
    known = ("constraint_name", "table_name", "condition")
    name, table, condition = (each.take(one) for one in known)
    return Operation(f"ops.add_check({table}, {name}, {condition}{each.rest(*known)})")


def _create_unique(each: Directive, _: Around) -> Operation:
    known = ("constraint_name", "table_name", "columns")
    name, table, columns = (each.take(one) for one in known)
    return Operation(f"ops.add_unique({table}, {name}, {columns}{each.rest(*known)})")


def _drop_constraint(each: Directive, around: Around) -> Operation:
    each.only("constraint_name", "table_name", "type_")
    name, table = each.take("constraint_name"), each.take("table_name")
    for made in around.downgrade:
        if not same(made.given.get("constraint_name", ""), name):
            continue
        rest = made.rest("constraint_name", "table_name", "source_table", "referent_table", *_DEFINING)
        if made.name == "create_check_constraint":
            definition = f"sa.CheckConstraint({made.take('condition')}, name={name}{rest})"
        elif made.name == "create_unique_constraint":
            definition = f"sa.UniqueConstraint(*{made.take('columns')}, name={name}{rest})"
        elif made.name == "create_foreign_key":
            to = _targets(made)
            definition = f"sa.ForeignKeyConstraint({made.take('local_cols')}, {to}, name={name}{rest})"
        else:
            continue
        return Operation(f"ops.drop_constraint({table}, {definition})", in_contract=True)
    raise NotExact("downgrade() has no directive with its definition")


_DEFINING = ("condition", "columns", "local_cols", "remote_cols")


def _targets(made: Directive) -> str:
    table, columns = ast.literal_eval(made.take("referent_table")), ast.literal_eval(made.take("remote_cols"))
    return "[" + ", ".join(f'"{table}.{each}"' for each in columns) + "]"


def _alter_column(each: Directive, around: Around) -> Operation:
    changed = [name for name in each.given if name not in _EXISTING]
    if len(changed) != 1 or changed[0] not in _ALTERED:
        raise NotExact(f"op.alter_column changes {' and '.join(changed) or 'nothing'} at once")
    return _ALTERED[changed[0]](each, around)


def _nullable(each: Directive, _: Around) -> Operation:
    place = f"{each.take('table_name')}, {each.take('column_name')}"
    if each.given["nullable"] == "True":
        return Operation(f"ops.drop_not_null({place})")
    # Without a value to fill in, every row needs one, which only the new version may see to.
    return Operation(f"ops.set_not_null({place})", in_contract=True)


def _column(each: Directive, name: str, type: str, around: Around) -> str:
    """The definition of the column: what the directive says exists, else what the history tells."""
    table, own = (str(ast.literal_eval(each.take(one))) for one in ("table_name", "column_name"))
    known = around.schema.column(table, own)
    if known is None and "existing_nullable" not in each.given:
        raise NotExact("existing_nullable is not given")
    required = each.given.get("existing_nullable") == "False" or (known is not None and not known.is_nullable)
    default = each.given.get("existing_server_default", "None")
    if default == "None" and known is not None and known.default is not None:
        default = f"sa.text({known.default!r})"
    written = "" if default == "None" else f", server_default={default}"
    return f"sa.Column({name}, {type}{', nullable=False' if required else ''}{written})"


def _renamed(each: Directive, around: Around) -> Operation:
    type = each.take("existing_type")
    old, new = (_column(each, each.take(name), type, around) for name in ("column_name", "new_column_name"))
    return Operation(f"ops.rename_column({each.take('table_name')}, {old}, {new})")


def _retyped(each: Directive, around: Around) -> Operation:
    name = each.take("column_name")
    was, now = (_column(each, name, each.take(type), around) for type in ("existing_type", "type_"))
    return Operation(f"ops.change_type({each.take('table_name')}, {was}, {now})")


def _defaulted(each: Directive, around: Around) -> Operation:
    place = f"{each.take('table_name')}, {each.take('column_name')}"
    default = _expression(each.given["server_default"])
    if "existing_server_default" in each.given:
        was = _expression(each.given["existing_server_default"])
    else:
        known = around.schema.column(*(str(ast.literal_eval(each.take(one))) for one in ("table_name", "column_name")))
        if known is None:
            raise NotExact("existing_server_default is not given")
        was = repr(known.default)
    return Operation(f"ops.set_default({place}, {default}, was={was})")


def _expression(text: str) -> str:
    """The default as ops takes it: SQL, where a string of Alembic's is a value."""
    try:
        value = ast.literal_eval(text)
    except (ValueError, SyntaxError):
        return text
    if value is False:
        raise NotExact("server_default=False changes nothing")
    return text if value is None else repr(ddl.literal(str(value)))


_ALTERED: dict[str, Callable[[Directive, Around], Operation]] = {
    "nullable": _nullable,
    "new_column_name": _renamed,
    "type_": _retyped,
    "server_default": _defaulted,
}
_TRANSLATIONS: dict[str, Callable[[Directive, Around], Operation]] = {
    "add_column": _add_column,
    "drop_column": _drop_column,
    "create_table": _create_table,
    "drop_table": _drop_table,
    "rename_table": _rename_table,
    "create_index": _create_index,
    "drop_index": _drop_index,
    "create_foreign_key": _create_foreign_key,
    "create_check_constraint": _create_check,
    "create_unique_constraint": _create_unique,
    "drop_constraint": _drop_constraint,
    "alter_column": _alter_column,
}
