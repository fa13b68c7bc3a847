"""Order, scopes and collections."""
