"""The kernel passes: definitions in, definitions out, one pass a file."""
