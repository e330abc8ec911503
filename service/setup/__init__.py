"""The first administrator."""
