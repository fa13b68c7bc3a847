"""TensorFlow's messages, in the wire format of protocol buffers but without that package."""
