"""Convolution and pooling: windows over images."""
