"""The login history, and the limits on failed logins that are counted in it."""
