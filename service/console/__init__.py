"""Pages for people; each is a file with its script and style beside it, and asks nothing of other hosts."""
