"""What a revision file comes to: its phases and their steps."""
