"""Runs a backfill in batches that can be resumed."""
