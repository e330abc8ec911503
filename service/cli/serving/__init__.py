"""The parts of `roster serve`: sockets, the check of the database, one process, the supervisor of several."""
