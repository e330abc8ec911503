"""The truth about statements: executed on PostgreSQL with rows, and the locks and work read from the server."""
