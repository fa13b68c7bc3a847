"""The reference backend: NumPy, one operation after the other. The others must compute the same."""
