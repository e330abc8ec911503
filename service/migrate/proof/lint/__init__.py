"""What a revision would do to requests, judged by rules from its operations, its SQL, the models and the history."""
