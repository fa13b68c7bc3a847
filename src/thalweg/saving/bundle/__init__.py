"""TensorFlow's checkpoints in version 2, which are called tensor bundles, without TensorFlow."""
