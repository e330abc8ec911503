"""What PostgreSQL alone needs."""
