"""`ops.now()`: the current time as a server default."""

from datetime import datetime
from typing import Any

from sqlalchemy import DateTime
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.expression import FunctionElement


class now(FunctionElement[datetime]):  # noqa: N801 - lower case, as SQLAlchemy's func.now()
    """The current time; on SQLite text in the format that the service writes."""

    type = DateTime(timezone=True)
    inherit_cache = True


@compiles(now)
def _now(_element: now, _compiler: SQLCompiler, **_: Any) -> str:
    return "CURRENT_TIMESTAMP"


@compiles(now, "sqlite")
def _now_on_sqlite(_element: now, _compiler: SQLCompiler, **_: Any) -> str:
    return "(strftime('%Y-%m-%d %H:%M:%f000', 'now'))"
