"""HTTP parts that every noun shares."""
