"""Authentication and authorization: tokens, actors, permissions, and the check before every handler."""
