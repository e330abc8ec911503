"""Preferences: one JSON object of settings for each user."""
