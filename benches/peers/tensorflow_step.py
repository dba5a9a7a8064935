"""The program of the comparison for TensorFlow: a whole training step is one `tf.function`. README.md says what the
programs have in common."""

import os
import sys

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import networks

# With XLA, its compiler, and without.
SETTINGS = ["function", "function_xla"]


class Operations:
    """The layers as TensorFlow's functions, on images `[batch, height, width, channels]`: the only ones that it has
    convolutions for on a CPU."""

    def __init__(self, tf):
        self.tf = tf

    def conv(self, x, w, b, stride, padding):
        y = self.tf.nn.conv2d(x, w, stride, [[0, 0], [padding] * 2, [padding] * 2, [0, 0]])
        return y if b is None else self.tf.nn.bias_add(y, b)

    def transposed(self, x, w, b):
        # PyTorch's kernel of such a layer is [in, out, height, width]; here it is [height, width, out, in].
        kernel, out = w.shape[0], w.shape[2]
        shape = [x.shape[0], x.shape[1] + kernel - 1, x.shape[2] + kernel - 1, out]
        return self.tf.nn.bias_add(self.tf.nn.conv2d_transpose(x, w, shape, 1, "VALID"), b)

    def norm(self, x, w, b):
        return self.tf.compat.v1.nn.fused_batch_norm(x, w, b, epsilon=1e-5)[0]

    def linear(self, x, w, b):
        return x @ w if b is None else self.tf.nn.bias_add(x @ w, b)

    def gelu(self, x):
        return self.tf.nn.gelu(x)

    def scale(self, x, factor):
        return x * factor

    def relu(self, x):
        return self.tf.nn.relu(x)

    def pool(self, x, kernel, stride):
        return self.tf.nn.max_pool2d(x, kernel, stride, "VALID")

    def upsample(self, x, factor):
        return self.tf.repeat(self.tf.repeat(x, factor, 1), factor, 2)

    def flatten(self, x):
        return self.tf.reshape(x, [x.shape[0], -1])


def main():
    args = networks.arguments(__doc__, SETTINGS)
    try:
        import tensorflow as tf
    except ImportError as error:
        sys.exit(f"error: {error}")
    tf.config.threading.set_intra_op_parallelism_threads(args.threads)
    tf.config.threading.set_inter_op_parallelism_threads(1)
    ops, layers = Operations(tf), networks.NETWORKS[args.network]
    weights = {name: tf.Variable(value) for name, value in networks.channels_last(args.network).items()}
    x = tf.constant(networks.images(args.network, args.batch).transpose(0, 2, 3, 1))
    states = [{name: tf.Variable(tf.zeros_like(w)) for name, w in weights.items()} for _ in range(2)]

    def loss():
        output = networks.forward(layers, x, weights, ops)
        if networks.is_inference(args.network):
            return tf.reduce_mean(output)
        if networks.is_autoencoder(args.network):
            return tf.reduce_mean((ops.flatten(output) - ops.flatten(x)) ** 2)
        labels = tf.range(args.batch) % output.shape[1]
        return tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(labels, output))

    def update(name, w, g, step):
        """Each rule is one operation on all of a weight, in place."""
        first, second = (state[name] for state in states)
        rate, decay = args.learning_rate, args.weight_decay
        g = g + decay * w if decay and args.optimizer == "sgd" else g
        if args.optimizer == "adam":
            powers = {"beta1_power": tf.pow(0.9, step), "beta2_power": tf.pow(0.999, step)}
            tf.raw_ops.ResourceApplyAdam(
                var=w.handle, m=first.handle, v=second.handle, **powers,
                lr=rate, beta1=0.9, beta2=0.999, epsilon=1e-8, grad=g)
        elif args.momentum:
            tf.raw_ops.ResourceApplyMomentum(
                var=w.handle, accum=first.handle, lr=rate, grad=g, momentum=args.momentum)
        else:
            w.assign_sub(rate * g)

    def train(step):
        with tf.GradientTape() as tape:
            value = loss()
        for name, g in zip(weights, tape.gradient(value, list(weights.values()))):
            update(name, weights[name], g, step)
        return value

    xla = args.setting == "function_xla"
    infer, train = tf.function(loss, jit_compile=xla), tf.function(train, jit_compile=xla)
    number = tf.Variable(0.0)

    def step():
        if networks.is_inference(args.network):
            return float(infer())
        return float(train(tf.convert_to_tensor(number.assign_add(1.0))))

    networks.measure(step, args, tf.__version__)


if __name__ == "__main__":
    main()
