"""Migrations as a product."""
