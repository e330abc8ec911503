"""What command lines share: the format of output, progress on standard error, and escapes for a terminal."""
