"""Plans: the phases of a revision file and their steps."""
