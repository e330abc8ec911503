"""Lossless ALTER TABLE for SQLite, by rebuilding the table from its edited CREATE text."""
