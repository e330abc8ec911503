"""Entity-relationship diagrams of the models and of revisions."""
