"""${message[:1].upper()}${message[1:].rstrip(".!")}.

Say why the schema changes, and the effect on traffic.
"""
<%
from service.migrate.entrypoints import template

up, contract = template.body(upgrades), template.body(context.get("contracts", ""))
%>
${template.imports(imports, up, contract)}

revision = ${repr(up_revision)}
down_revision = ${repr(down_revision)}
branch_labels = ${repr(branch_labels)}
depends_on = ${repr(depends_on)}


def upgrade() -> None:
    ${up or "pass"}


% if contract:
def contract() -> None:
    ${contract}


% endif
def downgrade() -> None:
    ops.undo()
