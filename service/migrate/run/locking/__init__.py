"""One migrator at a time, with bounded waits for locks."""
