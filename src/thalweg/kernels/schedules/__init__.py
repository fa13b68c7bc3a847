"""Schedules: how a nest runs, and how that is chosen."""
