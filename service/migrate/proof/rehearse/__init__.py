"""Rehearsal of a deployment: the previous and the new version serve requests while the schema changes."""
