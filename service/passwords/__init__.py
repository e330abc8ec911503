"""Passwords: changing one's own, setting another's, and links by which users set theirs."""
