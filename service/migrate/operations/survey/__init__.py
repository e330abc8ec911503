"""What happens to everything else that is on a table: carried, not affected, or a reason to refuse."""
