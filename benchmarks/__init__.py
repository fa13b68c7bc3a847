"""Measures Thalweg against its peers, side by side: `python -m benchmarks --help`."""
