"""A lending library: a project that uses Roster's migrator, and nothing else of Roster."""
