"""A convolutional network on MNIST: about 99.2 % after 20,000 steps."""

import thalweg as tf
from thalweg.datasets import mnist


def weights(*shape: int) -> tf.Variable:
    """Small random numbers."""
    return tf.Variable(tf.truncated_normal(shape, stddev=0.1))


def biases(size: int) -> tf.Variable:
    """Slightly positive, so that no unit starts dead."""
    return tf.Variable(tf.constant(0.1, shape=[size]))


def conv_and_pool(x: tf.Tensor, inputs: int, outputs: int) -> tf.Tensor:
    """A 5 x 5 convolution, then the largest of each 2 x 2."""
    h = tf.nn.conv2d(x, weights(5, 5, inputs, outputs), strides=[1, 1, 1, 1], padding="SAME")
    h = tf.nn.relu(h + biases(outputs))
    return tf.nn.max_pool(h, ksize=[1, 2, 2, 1], strides=[1, 2, 2, 1], padding="SAME")


data = mnist.read_data_sets(one_hot=True)
x = tf.placeholder(tf.float32, [None, 784])
y_ = tf.placeholder(tf.float32, [None, 10])
keep = tf.placeholder(tf.float32)

h = conv_and_pool(conv_and_pool(tf.reshape(x, [-1, 28, 28, 1]), 1, 32), 32, 64)
h = tf.nn.relu(tf.matmul(tf.reshape(h, [-1, 3136]), weights(3136, 1024)) + biases(1024))
y = tf.nn.softmax(tf.matmul(tf.nn.dropout(h, keep), weights(1024, 10)) + biases(10))

cross_entropy = -tf.reduce_sum(y_ * tf.log(y))
train_step = tf.train.AdamOptimizer(1e-4).minimize(cross_entropy)
correct = tf.equal(tf.argmax(y, 1), tf.argmax(y_, 1))
accuracy = tf.reduce_mean(tf.cast(correct, tf.float32))

test = {x: data.test.images[:1000], y_: data.test.labels[:1000], keep: 1.0}
with tf.Session() as session:
    session.run_steps(
        train_step,
        20_000,
        {keep: 0.5},
        batches={x: data.train.images, y_: data.train.labels},
        batch_size=50,
        every=1000,
        callback=lambda step, _: print(step, session.run(accuracy, test)),
    )
