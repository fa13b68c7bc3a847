"""The worker processes: one file per system, each started in that system's own environment."""
