"""Operations that Python runs."""
