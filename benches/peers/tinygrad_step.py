"""The program of the comparison for tinygrad: a whole training step is captured by its `TinyJit`; it needs clang.
README.md says what the programs have in common."""

import os
import sys

import networks

# As its heuristics choose each kernel, and as a search over a few hundred variants of each does (which takes minutes).
SETTINGS = ["jit", "jit_beam"]


class Operations:
    """The layers as tinygrad's functions, on images `[batch, channels, height, width]`."""

    def conv(self, x, w, b, stride, padding):
        return x.conv2d(w, b, stride=stride, padding=padding)

    def transposed(self, x, w, b):
        return x.conv_transpose2d(w, b)

    def norm(self, x, w, b):
        mean = x.mean((0, 2, 3))
        var = (x - mean.reshape(1, -1, 1, 1)).square().mean((0, 2, 3))
        return x.batchnorm(w, b, mean, (var + 1e-5).rsqrt())

    def linear(self, x, w, b):
        return x.linear(w.transpose(), b)

    def gelu(self, x):
        return 0.5 * x * (1 + (x / 2**0.5).erf())

    def scale(self, x, factor):
        return x * factor

    def relu(self, x):
        return x.relu()

    def pool(self, x, kernel, stride):
        return x.max_pool2d(kernel, stride)

    def upsample(self, x, factor):
        return x.repeat_interleave(factor, 2).repeat_interleave(factor, 3)

    def flatten(self, x):
        return x.flatten(1)


def main():
    args = networks.arguments(__doc__, SETTINGS)
    os.environ.update(DEV="CPU", NUM_CPU_THREADS=str(args.threads), BEAM="2" if args.setting == "jit_beam" else "0")
    try:
        from importlib.metadata import version

        from tinygrad import Tensor, TinyJit
        from tinygrad.helpers import Context
        from tinygrad.nn.optim import SGD, Adam
    except ImportError as error:
        sys.exit(f"error: {error}")
    ops, layers = Operations(), networks.NETWORKS[args.network]
    weights = {name: Tensor(value).is_param_(True) for name, value in networks.weights(args.network).items()}
    x = Tensor(networks.images(args.network, args.batch)).realize()
    Tensor.realize(*weights.values())
    if args.optimizer == "adam":
        optimizer = Adam(list(weights.values()), lr=args.learning_rate)
    else:
        optimizer = SGD(list(weights.values()), args.learning_rate, args.momentum, args.weight_decay)

    @TinyJit
    def infer():
        return networks.forward(layers, x, weights, ops).mean().realize()

    @TinyJit
    def train():
        optimizer.zero_grad()
        output = networks.forward(layers, x, weights, ops)
        if networks.is_autoencoder(args.network):
            loss = (output.flatten(1) - x.flatten(1)).square().mean()
        else:
            labels = Tensor.arange(args.batch) % output.shape[1]
            loss = output.sparse_categorical_crossentropy(labels)
        loss.backward()
        return loss.realize(*optimizer.schedule_step())

    inference = networks.is_inference(args.network)
    with Context(TRAINING=int(not inference)):
        networks.measure(lambda: (infer if inference else train)().item(), args, version("tinygrad"))


if __name__ == "__main__":
    main()
