"""Files of values: checkpoints, their formats, and `tf.train.Saver`."""
