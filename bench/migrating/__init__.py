"""Benchmark of schema changes on large tables under live traffic: `ops` compared with Alembic's `op`."""
