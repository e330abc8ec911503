"""Operations on constraints."""
