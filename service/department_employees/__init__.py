"""Who is in which department."""
