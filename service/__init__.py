"""Roster: a directory of people, recordings and departments whose schema changes while it is used."""

from importlib.metadata import version

__version__ = version("roster")
