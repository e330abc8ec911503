"""`plan`: what the pending phases would do to one database, found by reading it."""
