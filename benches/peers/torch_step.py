"""One program of the comparison in this folder: trains a network in PyTorch for a while and prints
its speed as a line of JSON. README.md says what the programs have in common."""

import argparse
import json
import math
import sys
import time

import torch
from torch import nn


def chain(layers):
    """Layers one after the other, from pairs of name and module."""
    net = nn.Sequential()
    for name, layer in layers:
        net.add_module(name, layer)
    return net


def after(number, *layers):
    """Layers without parameters, named after the layer `number` that they follow."""
    return [(f"after{number}_{i}", layer) for i, layer in enumerate(layers)]


def convolutions(channels, kernel, padding, *tail):
    """conv1, conv2, ...: each followed by the layers that `tail` makes."""
    layers = []
    for i, (into, out) in enumerate(zip(channels, channels[1:]), start=1):
        layers.append((f"conv{i}", nn.Conv2d(into, out, kernel, padding=padding)))
        layers += after(i, *(make() for make in tail))
    return layers


def perceptron(widths, name="fc", last_activation=False):
    """Linear layers with ReLU between them."""
    layers = []
    for i, (into, out) in enumerate(zip(widths, widths[1:]), start=1):
        layers.append((f"{name}{i}", nn.Linear(into, out)))
        if last_activation or i < len(widths) - 1:
            layers.append((f"{name}{i}_relu", nn.ReLU()))
    return layers


def pool():
    return nn.MaxPool2d(2)


FLATTEN = [("flatten", nn.Flatten())]


def course_cnn(channels, padding, flat):
    body = convolutions(channels, 3, padding, nn.ReLU, pool)
    return chain(body + FLATTEN + perceptron([flat, 50, 5]))


def transfer_cnn():
    return chain([
        ("conv1", nn.Conv2d(1, 28, 5)), *after(1, pool(), nn.ReLU()),
        ("conv2", nn.Conv2d(28, 20, 3)), *after(2, nn.ReLU()),
        *FLATTEN, *perceptron([2000, 500, 100, 5]),
    ])


def conv_autoencoder():
    decoder = []
    for i, (into, out) in enumerate([(20, 10), (10, 1)], start=1):
        decoder.append((f"upsample{i}", nn.Upsample(scale_factor=2)))
        decoder.append((f"t_conv{i}", nn.ConvTranspose2d(into, out, 5)))
        decoder.append((f"t_relu{i}", nn.ReLU()))
    return chain(convolutions([1, 10, 20], 5, 0, nn.ReLU, pool) + decoder)


def encoder_cnn():
    body = convolutions([1, 10, 20], 5, 0, pool, nn.ReLU)
    return chain(body + FLATTEN + perceptron([320, 50, 10]))


def mnist_cnn():
    return chain([
        ("conv1", nn.Conv2d(1, 16, 5)), *after(1, nn.ReLU(), pool()),
        ("conv2", nn.Conv2d(16, 32, 3)), *after(2, nn.ReLU(), pool()),
        *FLATTEN, *perceptron([800, 128, 10]),
    ])


def mnist_cnn2():
    body = convolutions([1, 32, 64], 5, 2, nn.ReLU, pool)
    return chain(body + FLATTEN + perceptron([3136, 256, 10]))


def mnist_cnn3():
    pools = [[], [], [pool()], [nn.MaxPool2d(3, stride=1)]]
    widths = [1, 16, 32, 64, 128]
    stages = [
        (f"layer{i + 1}", nn.Sequential(
            nn.Conv2d(widths[i], widths[i + 1], 5, padding=2),
            nn.BatchNorm2d(widths[i + 1]), nn.ReLU(), *pools[i]))
        for i in range(4)
    ]
    return chain(stages + FLATTEN + perceptron([18432, 10]))


def bn_cnn():
    layers = []
    for i, (into, out, padding) in enumerate([(1, 16, 1), (16, 32, 1), (32, 32, 1), (32, 64, 0)], 1):
        if i == 4:
            layers.append(("pool", pool()))
        layers.append((f"conv{i}", nn.Conv2d(into, out, 3, padding=padding)))
        layers.append((f"bn{i}", nn.BatchNorm2d(out)))
        layers += after(i, nn.ReLU())
    return chain(layers + FLATTEN + perceptron([9216, 128, 10]))


def fashion_cnn():
    body = convolutions([1, 10, 20, 40, 64], 5, 1, nn.ReLU)
    return chain(body + [("pool", pool())] + FLATTEN + perceptron([6400, 256, 10]))


def linear_autoencoder():
    widths = [784, 392, 196, 98, 32]
    encoder = perceptron(widths, "encoder", last_activation=True)
    decoder = perceptron(widths[::-1], "decoder", last_activation=True)
    return chain(FLATTEN + encoder + decoder)


class BasicBlock(nn.Module):
    """He et al., 2016: two convolutions of 3 x 3 beside a shortcut."""

    def __init__(self, into, out, stride):
        super().__init__()
        self.conv1 = nn.Conv2d(into, out, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(out)
        self.conv2 = nn.Conv2d(out, out, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(out)
        self.downsample = None
        if into != out:
            shortcut = nn.Conv2d(into, out, 1, stride, bias=False)
            self.downsample = nn.Sequential(shortcut, nn.BatchNorm2d(out))

    def forward(self, x):
        y = torch.relu(self.bn1(self.conv1(x)))
        y = self.bn2(self.conv2(y))
        return torch.relu(y + (x if self.downsample is None else self.downsample(x)))


def resnet18_cifar():
    layers = [("conv1", nn.Conv2d(3, 64, 3, 1, 1, bias=False)), ("bn1", nn.BatchNorm2d(64)),
              ("relu", nn.ReLU())]
    into = 64
    for stage, out in enumerate([64, 128, 256, 512], start=1):
        blocks = [BasicBlock(into, out, 1 if stage == 1 else 2), BasicBlock(out, out, 1)]
        layers.append((f"layer{stage}", nn.Sequential(*blocks)))
        into = out
    return chain([*layers, ("pool", nn.MaxPool2d(4)), *FLATTEN, ("fc", nn.Linear(512, 10))])


def vgg16_features():
    layers, into = [], 3
    for convs, out in [(2, 64), (2, 128), (3, 256), (3, 512), (3, 512)]:
        for _ in range(convs):
            layers += [nn.Conv2d(into, out, 3, padding=1), nn.ReLU()]
            into = out
        layers.append(pool())
    return chain([("features", nn.Sequential(*layers)), *FLATTEN])


NETWORKS = {
    "cnn2_small": lambda: course_cnn([1, 10, 20], 1, 980),
    "cnn2": lambda: course_cnn([1, 20, 40], 1, 1960),
    "cnn3": lambda: course_cnn([1, 10, 50, 20], 1, 180),
    "cnn5": lambda: course_cnn([1, 10, 50, 40, 30, 20], 3, 320),
    "mlp_relu": lambda: chain(FLATTEN + perceptron([784, 256, 128, 64, 10])),
    **{make.__name__: make for make in (
        transfer_cnn, conv_autoencoder, encoder_cnn, mnist_cnn, mnist_cnn2, mnist_cnn3, bn_cnn,
        fashion_cnn, linear_autoencoder, resnet18_cifar, vgg16_features)},
}


def uniform(seed, count):
    """The first numbers of the sequence `seed`: a hash (MurmurHash3's finalizer) scaled to [0, 1)."""
    mask = 0xFFFFFFFF
    h = (torch.arange(count, dtype=torch.int64) + seed * 0x9E3779B9) & mask
    h = ((h ^ (h >> 16)) * 0x85EBCA6B) & mask
    h = ((h ^ (h >> 13)) * 0xC2B2AE35) & mask
    return (h ^ (h >> 16)).double() / 2**32


def fill(net):
    for name, parameter in net.named_parameters():
        seed = sum(byte * i for i, byte in enumerate(name.encode(), start=1)) & 0xFFFFFFFF
        s = 2 * uniform(seed, parameter.numel()) - 1
        if parameter.dim() == 1:
            s = 1 + 0.2 * s if name.endswith(".weight") else 0.1 * s
        else:
            s *= math.sqrt(6 / (parameter.numel() // parameter.shape[0]))
        with torch.no_grad():
            parameter.copy_(s.reshape(parameter.shape))


# What can be asked of PyTorch beyond what courses write; each includes the one before it, but for the compiler, which
# chooses how images lie in memory by itself.
SETTINGS = ["eager", "fused", "channels_last", "compile"]


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--network", default="cnn2_small", choices=NETWORKS)
    parser.add_argument("--batch", type=int, default=128)
    parser.add_argument("--optimizer", default="adam", choices=["adam", "sgd"])
    parser.add_argument("--learning-rate", type=float, default=1e-3)
    parser.add_argument("--momentum", type=float, default=0.0)
    parser.add_argument("--weight-decay", type=float, default=0.0)
    parser.add_argument("--warmup", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=1.0)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--setting", default="eager", choices=SETTINGS)
    parser.add_argument("--wait", action="store_true",
                        help="say `ready` after the warmup, and wait for a line")
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    if args.setting != "eager" and not torch.set_flush_denormal(True):
        sys.exit("error: this processor cannot flush denormal numbers")

    inference = args.network == "vgg16_features"
    shape = {"vgg16_features": (3, 224, 224), "resnet18_cifar": (3, 32, 32)}
    shape = (args.batch, *shape.get(args.network, (1, 28, 28)))
    net = NETWORKS[args.network]()
    fill(net)
    images = uniform(0, math.prod(shape)).float().reshape(shape)
    if args.setting == "channels_last":
        net = net.to(memory_format=torch.channels_last)
        images = images.contiguous(memory_format=torch.channels_last)
    options = {"weight_decay": args.weight_decay, "fused": args.setting != "eager"}
    if args.optimizer == "adam":
        optimizer = torch.optim.Adam(net.parameters(), args.learning_rate, **options)
    else:
        optimizer = torch.optim.SGD(net.parameters(), args.learning_rate, args.momentum, **options)
    parameters = sum(p.numel() for p in net.parameters())
    if args.setting == "compile":
        # An error where it would fall back to eager, in the whole or for a part.
        torch._dynamo.config.suppress_errors = False
        net = torch.compile(net, fullgraph=True)

    def infer():
        with torch.inference_mode():
            return net(images).mean().item()

    def train():
        optimizer.zero_grad()
        output = net(images)
        if "autoencoder" in args.network:
            loss = nn.functional.mse_loss(output.flatten(1), images.flatten(1))
        else:
            labels = torch.arange(args.batch) % output.shape[1]
            loss = nn.functional.cross_entropy(output, labels)
        loss.backward()
        optimizer.step()
        return loss.item()

    net.train(not inference)
    step = infer if inference else train
    first = step()
    for _ in range(1, args.warmup):
        step()
    if args.wait:
        print("ready", flush=True)
        sys.stdin.readline()
    start, steps = time.perf_counter(), 0
    while steps == 0 or time.perf_counter() - start < args.seconds:
        step()
        steps += 1
    rate = steps * args.batch / (time.perf_counter() - start)
    print(json.dumps({"parameters": parameters, "first": first, "steps": steps,
                      "images_per_second": round(rate, 2), "version": torch.__version__}))


if __name__ == "__main__":
    main()
