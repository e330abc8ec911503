"""${message[:1].upper()}${message[1:].rstrip(".!")}.

Why it changes, and what traffic feels: say it here.
"""
<%
def without_marks(text):
    lines = [line for line in (text or "").splitlines() if not line.strip().startswith("# ###")]
    return "\n".join(lines).strip() or "pass"

up, down = without_marks(upgrades), without_marks(downgrades)
more = (imports or "").splitlines()
others = sorted(line for line in more if not line.startswith("from service"))
ours = sorted(line for line in more if line.startswith("from service"))
%>
% if "sa." in up + down:
import sqlalchemy as sa
% endif
% if "op." in up + down:
from alembic import op
% endif
% for line in others:
${line}
% endfor
% if ours:

% endif
% for line in ours:
${line}
% endfor

revision = ${repr(up_revision)}
down_revision = ${repr(down_revision)}
branch_labels = ${repr(branch_labels)}
depends_on = ${repr(depends_on)}


def upgrade() -> None:
    ${up}


def downgrade() -> None:
    ${down}
