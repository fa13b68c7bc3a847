"""What can go wrong with a benchmark."""


class BenchmarkError(Exception):
    """A benchmark cannot be run, or its two sides do not compute the same."""
