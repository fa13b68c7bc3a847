"""The convolutional network on MNIST, trained by several processes that average their gradients.

thalweg launch --workers 2 examples/allreduce_cnn.py
thalweg launch --workers 2 examples/allreduce_cnn.py --way local --steps 1000

Each process takes its own part of every mini-batch of 50. `--way` says what is sent: the gradients
as they are, rounded to 16 bits, or their largest elements only; or, of every eighth step, the
variables.
"""

import argparse
from typing import Any

import thalweg as tf
import thalweg.cluster as cluster
from thalweg.datasets import mnist

BATCH = 50  # of all processes together
WAYS: dict[str, dict[str, Any]] = {
    "plain": {},
    "bf16": {"compression": cluster.Compression.bf16},
    "fp16": {"compression": cluster.Compression.fp16},
    "top_k": {"compression": cluster.Compression.top_k(0.01)},
    "local": {"local_steps": 8},
}


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


parser = argparse.ArgumentParser()
parser.add_argument("--way", choices=WAYS, default="plain")
parser.add_argument("--steps", type=int, default=400)
arguments = parser.parse_args()

cluster.init()
tf.set_random_seed(1)
data = mnist.read_data_sets(one_hot=True, seed=1)
x = tf.placeholder(tf.float32, [None, 784])
y_ = tf.placeholder(tf.float32, [None, 10])

h = conv_and_pool(conv_and_pool(tf.reshape(x, [-1, 28, 28, 1]), 1, 32), 32, 64)
h = tf.nn.relu(tf.matmul(tf.reshape(h, [-1, 3136]), weights(3136, 1024)) + biases(1024))
y = tf.matmul(h, weights(1024, 10)) + biases(10)
loss = tf.reduce_mean(tf.nn.softmax_cross_entropy_with_logits(labels=y_, logits=y))
correct = tf.equal(tf.argmax(y, 1), tf.argmax(y_, 1))
accuracy = tf.reduce_mean(tf.cast(correct, tf.float32))

optimizer = cluster.DistributedOptimizer(tf.train.AdamOptimizer(1e-3), **WAYS[arguments.way])
train_step = optimizer.minimize(loss)
start = cluster.broadcast_global_variables(0)

test = {x: data.test.images[:1000], y_: data.test.labels[:1000]}
with tf.Session() as session:
    session.run(tf.global_variables_initializer())
    session.run(start)
    for step in range(1, arguments.steps + 1):
        images, labels = data.train.next_batch(BATCH)  # the same on all processes
        own = slice(cluster.rank(), None, cluster.size())
        session.run(train_step, {x: images[own], y_: labels[own]})
        if step % 50 == 0 and cluster.rank() == 0:
            found = session.run([loss, accuracy], test)
            print(f"step {step}: test loss {found[0]:.4f}, accuracy {found[1]:.3f}", flush=True)
