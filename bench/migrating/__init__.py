"""Schema changes on large tables beside live traffic, in safe steps and in Alembic's plain style."""
