"""The operations: one record each, in one file per family, and the functions that build them."""
