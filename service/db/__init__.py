"""Rows and transactions; knows no noun."""
