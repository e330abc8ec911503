"""Changes a column's type while the old and the new version run."""
