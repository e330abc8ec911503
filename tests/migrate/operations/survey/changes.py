"""Each operation on a table of its own, and what stands for what before and after it."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple

from service.migrate.operations.survey.policy import FILL


@dataclass(frozen=True, kw_only=True)
class Change:
    """An operation as a revision calls it; `{t}` is its table, whose column `a` it changes, and `{a}` its definition.

    `to` is the column that replaces `a`, and `table` the table that replaces `{t}`, after the contract.
    """

    up: str = ""
    contract: str = ""
    to: str = "a"
    table: str = "{t}"


# Outer names first: what stands for one may hold the others.
NAMES = (
    "items",
    "a",
    "c",
    "wide",
    "columns",
    "key",
    "using",
    "value",
    "was",
    "comment",
    "default",
    "collation",
    "nullable",
    "t",
)
TO_TRASH = "_trash_0002_{}"
CHANGES = {
    "add_column": Change(up='ops.add_column("{t}", sa.Column("more", sa.Text()))'),
    "drop_column": Change(contract='ops.drop_column("{t}", {a})', to=TO_TRASH.format("a")),
    "rename_column": Change(up='ops.rename_column("{t}", {a}, {c}, key={key})', to="c"),
    "change_type": Change(up='ops.change_type("{t}", {a}, {wide}, using="{using}", key={key})'),
    "set_not_null": Change(contract='ops.set_not_null("{t}", "a")'),
    FILL: Change(up='ops.set_not_null("{t}", "a", fill="{value}", key={key})'),
    "drop_not_null": Change(up='ops.drop_not_null("{t}", "a")'),
    "set_default": Change(up='ops.set_default("{t}", "a", "{value}", was={was})'),
    "follow": Change(up='ops.follow("{t}", "a", "m", postgresql="{value}", sqlite="{value}", key={key})'),
    "add_check": Change(up='ops.add_check("{t}", "ck_{t}_m", "m > 0")'),
    "add_unique": Change(up='ops.add_unique("{t}", "uq_{t}_m", ["m"])'),
    "add_foreign_key": Change(up='ops.add_foreign_key("{t}", "fk_{t}", ["m"], "goal")'),
    "drop_constraint": Change(contract='ops.drop_constraint("{t}", sa.CheckConstraint("m > -1", name="ck_{t}"))'),
    "replace_constraint": Change(
        contract='ops.replace_constraint("{t}", sa.CheckConstraint("m > -1", name="ck_{t}"), '
        'sa.CheckConstraint("m > -2", name="ck_{t}"))'
    ),
    "create_index": Change(up='ops.create_index("more_{t}", "{t}", ["n"])'),
    "drop_index": Change(contract='ops.drop_index("ix_{t}", "{t}", ["m"])'),
    "replace_index": Change(up='ops.replace_index("{t}", sa.Index("ix_{t}", "m"), sa.Index("ix_{t}", "m", "n"))'),
    "set_comment": Change(up='ops.set_comment("{t}", "another", was={comment}, column="a")'),
    "trigger": Change(
        up='ops.trigger("mine_{t}", "{t}", postgresql="CREATE TRIGGER mine_{t} AFTER INSERT ON {t} FOR EACH STATEMENT '
        'EXECUTE FUNCTION nothing()", sqlite="CREATE TRIGGER mine_{t} AFTER INSERT ON {t} BEGIN SELECT 1; END")'
    ),
    "rename_table": Change(up='ops.rename_table("{t}", "{t}_to", {columns}, key={key})', table="{t}_to"),
    "drop_table": Change(contract='ops.drop_table("{t}", {items})', table=TO_TRASH.format("{t}")),
}


class Run(NamedTuple):
    """An operation on a table with some attributes."""

    operation: str
    table: str
    definitions: dict[str, str]

    @property
    def change(self) -> Change:
        return CHANGES[self.operation]

    def written(self, part: str) -> str:
        text = part
        for name in NAMES:
            text = text.replace("{" + name + "}", self.table if name == "t" else self.definitions[name])
        return text

    @property
    def after(self) -> str:
        """The table after the contract."""
        return self.change.table.replace("{t}", self.table)


def revision(runs: Iterable[Run]) -> dict[str, str]:
    """The parts of one revision with all operations."""
    listed = list(runs)
    parts = {
        "up": [run.written(run.change.up) for run in listed if run.change.up],
        "contract": [run.written(run.change.contract) for run in listed if run.change.contract],
    }
    return {name: "\n".join(lines) for name, lines in parts.items() if lines}
