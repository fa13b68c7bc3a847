"""What a run does and what it costs."""
