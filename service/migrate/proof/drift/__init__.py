"""`drift`: a database against what its revisions make, and against the models."""
