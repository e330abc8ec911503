"""${message[:1].upper()}${message[1:].rstrip(".!")}.

Why it changes, and what traffic feels: say it here.
"""
<%
import re

def plain(text):
    lines = [line for line in (text or "").splitlines() if not line.strip().startswith("# ###")]
    named = re.sub(r"\bops\.f\(('[^']*')\)", r"\1", "\n".join(lines).strip())
    return "" if named == "pass" else named

up, down = plain(upgrades), plain(context.get("contracts", ""))
more = (imports or "").splitlines()
others = sorted(line for line in more if not line.startswith("from service"))
ours = sorted({"from service.migrate import ops", *(line for line in more if line.startswith("from service"))})
%>
% if "sa." in up + down:
import sqlalchemy as sa
% endif
% for line in others:
${line}
% endfor

% for line in ours:
${line}
% endfor

revision = ${repr(up_revision)}
down_revision = ${repr(down_revision)}
branch_labels = ${repr(branch_labels)}
depends_on = ${repr(depends_on)}


def upgrade() -> None:
    ${up or "pass"}


% if down:
def contract() -> None:
    ${down}


% endif
def downgrade() -> None:
    ops.undo()
