"""What the database remembers of its migrations."""
