"""Functions for a project's script.py.mako: the bodies of a drafted revision and the imports."""

import re


def body(rendered: str | None) -> str:
    """The statements that Alembic rendered, without its comments; empty if there are none."""
    lines = [line for line in (rendered or "").splitlines() if not line.strip().startswith("# ###")]
    # ops.f exempts a name from naming conventions, which this `ops` does not apply.
    statements = re.sub(r"\bops\.f\(('[^']*')\)", r"\1", "\n".join(lines).strip())
    return "" if statements == "pass" else statements


def imports(rendered: str | None, *bodies: str) -> str:
    """The import lines of a revision with these bodies: SQLAlchemy, what Alembic rendered, then `ops`."""
    lines = (rendered or "").splitlines()
    ours = {line for line in lines if line.startswith("from service")}
    others = {line for line in lines if line.strip()} - ours
    if any("sa." in each for each in bodies):
        others.add("import sqlalchemy as sa")
    blocks = [
        "\n".join(sorted(others, key=lambda line: (line.startswith("from"), line))),
        "\n".join(sorted(ours | {"from service.migrate import ops"})),
    ]
    return "\n\n".join(filter(None, blocks))
