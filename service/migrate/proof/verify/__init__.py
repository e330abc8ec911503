"""`verify`: each revision up, down and up again with rows in every table."""
