"""The audit trail: a list of events, and a feed of new ones."""
