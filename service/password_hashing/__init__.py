"""Password hashes: argon2id in a bounded thread pool, and the passwords that nobody may choose."""
