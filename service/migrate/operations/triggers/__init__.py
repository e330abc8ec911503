"""Operations on triggers and functions."""
