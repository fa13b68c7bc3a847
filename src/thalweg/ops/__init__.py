"""The operations: a folder for each family, with records and the functions that build them."""
