"""The program of the comparison for JAX: a whole training step is one compiled function, whose weights are updated in
place. README.md says what the programs have in common."""

import os
import sys

import networks

# The channels last is how XLA's library for CPUs computes convolutions; with the channels first, as PyTorch has them, it
# turns the images itself.
SETTINGS = ["jit", "jit_channels_first"]


class Operations:
    """The layers as JAX's functions, on images `[batch, height, width, channels]` or with the channels first."""

    def __init__(self, jax, first):
        self.jax, self.first = jax, first
        self.order = ("NCHW", "OIHW", "NCHW") if first else ("NHWC", "HWIO", "NHWC")

    def spread(self, b):
        return b[:, None, None] if self.first else b

    def conv(self, x, w, b, stride, padding):
        y = self.jax.lax.conv_general_dilated(
            x, w, (stride, stride), [(padding, padding)] * 2, dimension_numbers=self.order)
        return y if b is None else y + self.spread(b)

    def transposed(self, x, w, b):
        # PyTorch's kernel of such a layer is [in, out, height, width]: mirrored, and the other way round.
        axes, swapped = ((2, 3), (0, 1)) if self.first else ((0, 1), (2, 3))
        kernel = w.shape[axes[0]]
        w = self.jax.numpy.flip(w, axes).swapaxes(*swapped)
        return self.conv(x, w, b, 1, kernel - 1)

    def norm(self, x, w, b):
        axes = (0, 2, 3) if self.first else (0, 1, 2)
        mean, var = x.mean(axes, keepdims=True), x.var(axes, keepdims=True)
        return (x - mean) * self.jax.lax.rsqrt(var + 1e-5) * self.spread(w) + self.spread(b)

    def linear(self, x, w, b):
        y = x @ (w.T if self.first else w)
        return y if b is None else y + b

    def gelu(self, x):
        return self.jax.nn.gelu(x, approximate=False)

    def scale(self, x, factor):
        return x * factor

    def relu(self, x):
        return self.jax.nn.relu(x)

    def pool(self, x, kernel, stride):
        def window(n):
            return (1, 1, n, n) if self.first else (1, n, n, 1)
        lowest = -self.jax.numpy.inf
        return self.jax.lax.reduce_window(x, lowest, self.jax.lax.max, window(kernel), window(stride), "VALID")

    def upsample(self, x, factor):
        for axis in (2, 3) if self.first else (1, 2):
            x = self.jax.numpy.repeat(x, factor, axis)
        return x

    def flatten(self, x):
        return x.reshape(len(x), -1)


def updated(jax, args):
    """The optimizer: new weights and states, from weights, gradients, states and the number of the step."""
    rate, decay = args.learning_rate, args.weight_decay

    def sgd(w, g, states, step):
        g = g + decay * w if decay else g
        if not args.momentum:
            return w - rate * g, states
        v = args.momentum * states[0] + g
        return w - rate * v, (v,)

    def adam(w, g, states, step):
        m, v = states
        m, v = 0.9 * m + 0.1 * g, 0.999 * v + 0.001 * g * g
        unbiased = jax.numpy.sqrt(v / (1 - 0.999**step))
        return w - rate / (1 - 0.9**step) * m / (unbiased + 1e-8), (m, v)

    return (adam, 2) if args.optimizer == "adam" else (sgd, 1 if args.momentum else 0)


def main():
    args = networks.arguments(__doc__, SETTINGS)
    # Read when XLA begins.
    os.environ["NPROC"] = str(args.threads)
    if args.threads == 1:
        os.environ["XLA_FLAGS"] = "--xla_cpu_multi_thread_eigen=false " + os.environ.get("XLA_FLAGS", "")
    os.environ["JAX_PLATFORMS"] = "cpu"
    try:
        import jax
    except ImportError as error:
        sys.exit(f"error: {error}")
    jnp = jax.numpy
    first = args.setting == "jit_channels_first"
    ops, layers = Operations(jax, first), networks.NETWORKS[args.network]
    filled = (networks.weights if first else networks.channels_last)(args.network)
    images = networks.images(args.network, args.batch)
    weights = {name: jnp.asarray(value) for name, value in filled.items()}
    x = jnp.asarray(images if first else images.transpose(0, 2, 3, 1))
    update, count = updated(jax, args)

    def loss(weights, x):
        output = networks.forward(layers, x, weights, ops)
        if networks.is_inference(args.network):
            return output.mean()
        if networks.is_autoencoder(args.network):
            return ((ops.flatten(output) - ops.flatten(x)) ** 2).mean()
        labels = jnp.arange(args.batch) % output.shape[1]
        return -jnp.take_along_axis(jax.nn.log_softmax(output), labels[:, None], 1).mean()

    def train(weights, states, step, x):
        value, gradients = jax.value_and_grad(loss)(weights, x)
        new = {name: update(w, gradients[name], states[name], step) for name, w in weights.items()}
        return value, {name: w for name, (w, _) in new.items()}, {name: s for name, (_, s) in new.items()}

    infer, train = jax.jit(loss), jax.jit(train, donate_argnums=(0, 1))
    kept = {"weights": weights, "step": 0,
            "states": {name: tuple(jnp.zeros_like(w) for _ in range(count)) for name, w in weights.items()}}

    def step():
        if networks.is_inference(args.network):
            return float(infer(kept["weights"], x))
        kept["step"] += 1
        value, kept["weights"], kept["states"] = train(kept["weights"], kept["states"], float(kept["step"]), x)
        return float(value)

    networks.measure(step, args, jax.__version__)


if __name__ == "__main__":
    main()
