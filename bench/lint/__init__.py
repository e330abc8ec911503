"""The benchmark of the linter: statements whose locks and times are measured, and who warns of them."""
