"""What a database has beside its definitions of tables: attributes, privileges, comments, owners, other objects."""
