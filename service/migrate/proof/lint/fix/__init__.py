"""Revisions in Alembic's plain style rewritten with safe operations, where the result is the same."""
