"""Operations on columns."""
