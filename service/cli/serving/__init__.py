"""What `roster serve` consists of: sockets, the check of the database, one process, and the supervisor of several."""
