"""`--sql`: phases of revisions as PostgreSQL scripts for psql, which check the database and keep its ledger."""
