"""The disk cache: its folder, the format of its entries, and records as bytes."""
