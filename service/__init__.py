"""Roster: a directory of people, recordings and departments whose schema changes while it is used."""
