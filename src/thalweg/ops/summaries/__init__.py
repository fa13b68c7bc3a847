"""Operations that make summaries: serialised messages, as strings."""
