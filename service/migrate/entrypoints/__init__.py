"""Who calls the migrator: Alembic's env.py, Python code and the command line."""
