"""Roster: a directory of people, recordings and departments whose schema changes while it is used."""

# The distribution takes its version from here: to look it up, importlib.metadata, is a third of `roster --help`.
__version__ = "0.1.0"
