"""Migrations as a product: the runner, the lock, and the one way tables are altered on SQLite."""
