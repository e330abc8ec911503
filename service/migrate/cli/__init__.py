"""The command line of the migrator, for any project; one file per command."""
