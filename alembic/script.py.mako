"""${message[:1].upper()}${message[1:].rstrip(".")}.

Why it changes, and what traffic feels: say it here.
"""
<% body = f"{upgrades or ''}{downgrades or ''}" %>
% if "sa." in body:
import sqlalchemy as sa
% endif
% if "op." in body:
from alembic import op
% endif
% if imports:
${imports}
% endif

revision = ${repr(up_revision)}
down_revision = ${repr(down_revision)}
branch_labels = ${repr(branch_labels)}
depends_on = ${repr(depends_on)}


def upgrade() -> None:
    ${upgrades or "pass"}


def downgrade() -> None:
    ${downgrades or "pass"}
