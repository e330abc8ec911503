"""Backup and restore of a whole database: SQLite's online backup, PostgreSQL's own programs."""
