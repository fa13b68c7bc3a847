"""From the operations of a plan to definitions of values."""
