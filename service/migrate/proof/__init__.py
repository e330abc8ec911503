"""Tools that show what a revision does before it is merged."""
