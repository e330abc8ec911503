"""SQL text and catalog queries of PostgreSQL and SQLite."""
