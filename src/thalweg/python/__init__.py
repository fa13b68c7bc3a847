"""Names of TensorFlow 1 that programs take from its internal modules."""
