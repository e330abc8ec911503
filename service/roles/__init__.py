"""Roles: named lists of permissions, and who has them."""
