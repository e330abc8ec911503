"""The callers of the migrator: Alembic's env.py, Python code and the command line."""
