"""Runs a plan: sessions, locks, retries, steps, backfills and rollback."""
