"""SQLite: connections that know their file, one writer at a time, and short reads in the event loop."""
