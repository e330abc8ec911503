"""SQL and catalog queries of PostgreSQL alone."""
