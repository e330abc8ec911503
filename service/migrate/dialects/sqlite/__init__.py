"""Altering tables on SQLite without losing anything they had."""
