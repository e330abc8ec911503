"""Sessions: a password is shown once, and a token stands for it afterwards."""
