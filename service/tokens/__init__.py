"""Tokens: of programs, of sessions, and in password links."""
