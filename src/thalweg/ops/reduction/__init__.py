"""Sums, products, extremes and their positions."""
