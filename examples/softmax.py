"""Softmax regression on MNIST: about 91 % after 1,000 steps."""

import thalweg as tf
from thalweg.datasets import mnist

data = mnist.read_data_sets(one_hot=True)

x = tf.placeholder(tf.float32, [None, 784])
W = tf.Variable(tf.zeros([784, 10]))
b = tf.Variable(tf.zeros([10]))
y = tf.nn.softmax(tf.matmul(x, W) + b)

y_ = tf.placeholder(tf.float32, [None, 10])
cross_entropy = -tf.reduce_sum(y_ * tf.log(y))
train_step = tf.train.GradientDescentOptimizer(0.01).minimize(cross_entropy)

correct = tf.equal(tf.argmax(y, 1), tf.argmax(y_, 1))
accuracy = tf.reduce_mean(tf.cast(correct, tf.float32))

with tf.Session() as session:
    session.run(tf.global_variables_initializer())
    for _ in range(1000):
        images, labels = data.train.next_batch(100)
        session.run(train_step, {x: images, y_: labels})
    print(session.run(accuracy, {x: data.test.images, y_: data.test.labels}))
