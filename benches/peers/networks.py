"""The networks of the comparison as data, their weights, and what the programs in Python have in common."""

import argparse
import json
import math
import sys
import time

import numpy

# A layer is a tuple: what it is, the name of its parameters (if it has some), and its sizes.
RELU, GELU, FLATTEN = ("relu",), ("gelu",), ("flatten",)


def conv(name, into, out, kernel, stride=1, padding=0, bias=True):
    return ("conv", name, into, out, kernel, stride, padding, bias)


def pool(kernel=2, stride=2):
    return ("pool", kernel, stride)


def linear(widths, name="fc", last_activation=False):
    """Linear layers with ReLU between them."""
    layers = []
    for i, (into, out) in enumerate(zip(widths, widths[1:]), start=1):
        layers.append(("linear", f"{name}{i}", into, out))
        if last_activation or i < len(widths) - 1:
            layers.append(RELU)
    return layers


def convolutions(channels, kernel, padding, *tail):
    """conv1, conv2, ...: each followed by the layers of `tail`."""
    layers = []
    for i, (into, out) in enumerate(zip(channels, channels[1:]), start=1):
        layers += [conv(f"conv{i}", into, out, kernel, padding=padding), *tail]
    return layers


def course_cnn(channels, padding, flat):
    return [*convolutions(channels, 3, padding, RELU, pool()), FLATTEN, *linear([flat, 50, 5])]


def conv_autoencoder():
    layers = convolutions([1, 10, 20], 5, 0, RELU, pool())
    for i, (into, out) in enumerate([(20, 10), (10, 1)], start=1):
        layers += [("upsample", 2), ("transposed", f"t_conv{i}", into, out, 5), RELU]
    return layers


def mnist_cnn3():
    layers, widths = [], [1, 16, 32, 64, 128]
    for i, tail in enumerate([[], [], [pool()], [pool(3, 1)]]):
        into, out, name = widths[i], widths[i + 1], f"layer{i + 1}"
        layers += [conv(f"{name}.0", into, out, 5, padding=2), ("norm", f"{name}.1", out), RELU, *tail]
    return [*layers, FLATTEN, *linear([18432, 10])]


def bn_cnn():
    layers = []
    for i, (into, out, padding) in enumerate([(1, 16, 1), (16, 32, 1), (32, 32, 1), (32, 64, 0)], 1):
        layers += [pool()] if i == 4 else []
        layers += [conv(f"conv{i}", into, out, 3, padding=padding), ("norm", f"bn{i}", out), RELU]
    return [*layers, FLATTEN, *linear([9216, 128, 10])]


def block(name, into, out, stride):
    """He et al., 2016: two convolutions of 3 x 3 beside a shortcut."""
    body = [conv(f"{name}.conv1", into, out, 3, stride, 1, False), ("norm", f"{name}.bn1", out), RELU,
            conv(f"{name}.conv2", out, out, 3, 1, 1, False), ("norm", f"{name}.bn2", out)]
    shortcut = [] if into == out else [
        conv(f"{name}.downsample.0", into, out, 1, stride, 0, False), ("norm", f"{name}.downsample.1", out)]
    return ("residual", body, shortcut)


def resnet18_cifar():
    layers, into = [conv("conv1", 3, 64, 3, 1, 1, False), ("norm", "bn1", 64), RELU], 64
    for stage, out in enumerate([64, 128, 256, 512], start=1):
        layers += [block(f"layer{stage}.0", into, out, 1 if stage == 1 else 2), RELU]
        layers += [block(f"layer{stage}.1", out, out, 1), RELU]
        into = out
    return [*layers, pool(4, 4), FLATTEN, ("linear", "fc", 512, 10)]


def airbench(channels):
    """Jordan, 2024, arXiv:2404.00498."""
    layers, into = [conv("whiten", 3, 24, 2), GELU], 24
    for i, out in enumerate(channels, start=1):
        layers += [conv(f"block{i}.conv1", into, out, 3, padding=1, bias=False), pool(),
                   ("norm", f"block{i}.norm1", out), GELU,
                   conv(f"block{i}.conv2", out, out, 3, padding=1, bias=False),
                   ("norm", f"block{i}.norm2", out), GELU]
        into = out
    return [*layers, pool(3, 3), FLATTEN, ("linear", "head", into, 10, False), ("scale", 1 / 9)]


def vgg16_features():
    layers, into = [], 3
    for convs, out in [(2, 64), (2, 128), (3, 256), (3, 512), (3, 512)]:
        for _ in range(convs):
            layers += [conv(f"features.{len(layers)}", into, out, 3, padding=1), RELU]
            into = out
        layers.append(pool())
    return [*layers, FLATTEN]


def linear_autoencoder():
    widths = [784, 392, 196, 98, 32]
    return [FLATTEN, *linear(widths, "encoder", True), *linear(widths[::-1], "decoder", True)]


NETWORKS = {
    "cnn2_small": course_cnn([1, 10, 20], 1, 980),
    "cnn2": course_cnn([1, 20, 40], 1, 1960),
    "cnn3": course_cnn([1, 10, 50, 20], 1, 180),
    "cnn5": course_cnn([1, 10, 50, 40, 30, 20], 3, 320),
    "transfer_cnn": [
        conv("conv1", 1, 28, 5), pool(), RELU, conv("conv2", 28, 20, 3), RELU,
        FLATTEN, *linear([2000, 500, 100, 5])],
    "conv_autoencoder": conv_autoencoder(),
    "encoder_cnn": [
        *convolutions([1, 10, 20], 5, 0, pool(), RELU), FLATTEN, *linear([320, 50, 10])],
    "mnist_cnn": [
        conv("conv1", 1, 16, 5), RELU, pool(), conv("conv2", 16, 32, 3), RELU, pool(),
        FLATTEN, *linear([800, 128, 10])],
    "mnist_cnn2": [*convolutions([1, 32, 64], 5, 2, RELU, pool()), FLATTEN, *linear([3136, 256, 10])],
    "mnist_cnn3": mnist_cnn3(),
    "bn_cnn": bn_cnn(),
    "fashion_cnn": [
        *convolutions([1, 10, 20, 40, 64], 5, 1, RELU), pool(), FLATTEN, *linear([6400, 256, 10])],
    "mlp_relu": [FLATTEN, *linear([784, 256, 128, 64, 10])],
    "linear_autoencoder": linear_autoencoder(),
    "resnet18_cifar": resnet18_cifar(),
    "airbench93": airbench([64, 128, 128]),
    "airbench94": airbench([64, 256, 256]),
    "vgg16_features": vgg16_features(),
}


def shapes(layers):
    """The parameters of the layers: name and shape in PyTorch's order and layout."""
    for kind, *rest in layers:
        if kind == "residual":
            for branch in rest:
                yield from shapes(branch)
        elif kind in ("conv", "transposed", "linear", "norm"):
            name, into, *sizes = rest
            out = sizes[0] if sizes else into
            square = [sizes[1]] * 2 if kind in ("conv", "transposed") else []
            pair = {"transposed": [into, out], "norm": [out]}.get(kind, [out, into])
            yield f"{name}.weight", (*pair, *square)
            # Only the last size may be False.
            if rest[-1] is not False:
                yield f"{name}.bias", (out,)


def uniform(seed, count):
    """The first numbers of the sequence `seed`: a hash (MurmurHash3's finalizer) scaled to [0, 1)."""
    mask = 0xFFFFFFFF
    h = (numpy.arange(count, dtype=numpy.uint64) + numpy.uint64(seed * 0x9E3779B9 & mask)) & mask
    h = ((h ^ (h >> 16)) * 0x85EBCA6B) & mask
    h = ((h ^ (h >> 13)) * 0xC2B2AE35) & mask
    return (h ^ (h >> 16)).astype(numpy.float64) / 2**32


def weights(network):
    """The parameters, filled by the formula of README.md."""
    filled = {}
    for name, shape in shapes(NETWORKS[network]):
        seed = sum(byte * i for i, byte in enumerate(name.encode(), start=1)) & 0xFFFFFFFF
        s = 2 * uniform(seed, math.prod(shape)) - 1
        if len(shape) == 1:
            s = 1 + 0.2 * s if name.endswith(".weight") else 0.1 * s
        else:
            s *= math.sqrt(6 / math.prod(shape[1:]))
        filled[name] = s.reshape(shape).astype(numpy.float32)
    return filled


def channels_last(network):
    """The same weights for images `[batch, height, width, channels]`: kernels `[height, width, in, out]`, linear
    layers `[in, out]` with their inputs in the order in which such images are flattened."""
    filled, channels = weights(network), 1
    into = dict(flattened_inputs(NETWORKS[network]))
    for name, value in filled.items():
        if value.ndim == 4:
            filled[name] = value.transpose(2, 3, 1, 0)
        elif value.ndim == 2:
            channels = into.get(name, 1)
            by_channel = value.reshape(len(value), channels, -1)
            filled[name] = by_channel.transpose(2, 1, 0).reshape(-1, len(value))
    return {name: numpy.ascontiguousarray(value) for name, value in filled.items()}


def flattened_inputs(layers):
    """The linear layers whose input are flattened images, with the channels of these."""
    channels, flat = 1, False
    for kind, *rest in layers:
        if kind == "linear" and flat:
            yield f"{rest[0]}.weight", channels
        flat = kind == "flatten"
        if kind in ("conv", "transposed"):
            channels = rest[2]
        elif kind == "residual":
            channels = rest[0][-1][2]


def forward(layers, x, weights, ops):
    """The output of the layers, by the operations of a program."""
    for kind, *rest in layers:
        if kind == "residual":
            body, shortcut = (forward(branch, x, weights, ops) for branch in rest)
            x = body + shortcut
        elif kind in ("conv", "transposed", "norm", "linear"):
            name, *sizes = rest
            w, b = weights[f"{name}.weight"], weights.get(f"{name}.bias")
            x = getattr(ops, kind)(x, w, b, *(sizes[3:5] if kind == "conv" else []))
        else:
            x = getattr(ops, kind)(x, *rest)
    return x


def images(network, batch):
    small = (3, 32, 32)
    shape = {"vgg16_features": (3, 224, 224), "resnet18_cifar": small, "airbench93": small, "airbench94": small}
    shape = (batch, *shape.get(network, (1, 28, 28)))
    return uniform(0, math.prod(shape)).astype(numpy.float32).reshape(shape)


def outputs(network):
    """The values that the network gives for an image, where it ends with a linear layer."""
    sizes = [layer[3] for layer in NETWORKS[network] if layer[0] == "linear"]
    return sizes[-1] if sizes else 1


def is_autoencoder(network):
    return "autoencoder" in network


def is_inference(network):
    return network == "vgg16_features"


def arguments(description, settings, devices=("cpu",)):
    """The options that the programs share; a setting is how a program is asked to run."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--network", default="cnn2_small", choices=NETWORKS)
    parser.add_argument("--batch", type=int, default=128)
    parser.add_argument("--optimizer", default="adam", choices=["adam", "sgd"])
    parser.add_argument("--learning-rate", type=float, default=1e-3)
    parser.add_argument("--momentum", type=float, default=0.0)
    parser.add_argument("--weight-decay", type=float, default=0.0)
    parser.add_argument("--warmup", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=1.0)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--setting", default=settings[0], choices=settings)
    parser.add_argument("--device", default="cpu", choices=devices)
    parser.add_argument("--read-every", type=int, default=1, help="steps between two that read their loss back")
    parser.add_argument("--wait", action="store_true",
                        help="say `ready` after the warmup, and time steps for every line that is written to it")
    return parser.parse_args()


def measure(step, args, version):
    """Times `step`, which returns its loss as a number or as what `float` makes one of, and prints what it found."""
    first, second = float(step()), float(step())
    for _ in range(2, args.warmup):
        float(step())
    found = {"parameters": sum(math.prod(shape) for _, shape in shapes(NETWORKS[args.network])),
             "first": first, "second": second, "version": version}
    if not args.wait:
        timed(step, args, found)
        return
    print("ready", flush=True)
    while sys.stdin.readline():
        timed(step, args, found)


def timed(step, args, found):
    """Times steps for a while, and prints a line of JSON."""
    start, steps = time.perf_counter(), 0
    while steps == 0 or time.perf_counter() - start < args.seconds:
        for _ in range(args.read_every):
            loss = step()
        # A GPU computes meanwhile; now it has come to the end of this step.
        float(loss)
        steps += args.read_every
    rate = steps * args.batch / (time.perf_counter() - start)
    print(json.dumps({**found, "steps": steps, "images_per_second": round(rate, 2)}), flush=True)
