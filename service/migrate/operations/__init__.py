"""The operations behind `ops`: each is a value that gives its phases on either database."""
