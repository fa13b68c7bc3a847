"""Tensors made, reshaped, cut and joined."""
