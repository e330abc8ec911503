"""SQL statements as changes of a schema, and the schema that they come to."""
