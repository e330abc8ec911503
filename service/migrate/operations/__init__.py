"""The operations that a revision is written with, each a value that knows its steps on either database."""
