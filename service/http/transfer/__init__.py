"""Import and export as streams, over HTTP or without it."""
