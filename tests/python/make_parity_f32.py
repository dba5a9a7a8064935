#!/usr/bin/env python3
"""Writes ../data/parity_f32.json: gradients of networks that f32 cannot compute to 1e-4 of parity.json.

parity.json is computed in f64, its parameters and input included.  An f32 network starts from rounded
ones and rounds again in every layer, and for three networks that moves some gradients by more than
1e-4: in VGG-16 by cancellation, in the others because it carries the input of a ReLU across 0, or
makes another number the largest of a pool's window.  So for these this script rounds the parameters
and the input to f32, computes in f64, and records the gradients once for every way of taking the ReLUs
and the windows that are at a kink, where both one-sided derivatives are right: those whose distance
from the kink is no more than REACH times what the rounding moves any number of their channel by.

Needs torch and torchvision.  Per network a list of {parameter: {norm, head: first 4 entries}}; from
the second one on, of the parameters alone whose gradients are not those of the first.
"""
import itertools, json, math, os
import torch, torch.nn as nn, torch.nn.functional as F
import torchvision.models as models

# How much further from the exact result f32 gets than by rounding its start.
REACH = 2


class Kinked(nn.Module):
    """A layer with kinks.  Of each call it keeps the distance of every output from its kink and the
    size of the numbers; `flipped` holds the (call, output) that are to be taken on the other side."""

    def __init__(self):
        super().__init__()
        self.flipped, self.calls = set(), []

    def choose(self, kept, other, distance, numbers):
        """`kept`, but `other` where it is flipped."""
        flip = torch.zeros(kept.numel(), dtype=torch.bool)
        flip[[i for call, i in self.flipped if call == len(self.calls)]] = True
        self.calls.append((distance.detach(), numbers.detach()))
        return torch.where(flip.reshape(kept.shape), other, kept)


class Relu(Kinked):
    def forward(self, x):
        zero = torch.zeros_like(x)
        is_open = x > 0
        kept, other = torch.where(is_open, x, zero), torch.where(is_open, zero, x)
        return self.choose(kept, other, x.abs(), x)


class MaxPool(Kinked):
    def __init__(self, pool):
        super().__init__()
        self.pool = pool

    def forward(self, x):
        images, channels = x.shape[:2]
        kernel, stride = self.pool.kernel_size, self.pool.stride
        size = F.max_pool2d(x, kernel, stride).shape
        windows = F.unfold(x.flatten(0, 1)[:, None], kernel, stride=stride)
        best = windows.topk(2, dim=1).values
        first, second = (best[:, i].reshape(size) for i in (0, 1))
        # Between two zeros there is no kink: no gradient comes to either.
        gap = torch.where(first > 0, first - second, torch.full_like(first, torch.inf))
        return self.choose(first, second, gap, x)


def replace_kinks(net):
    """Puts layers with known kinks in the place of PyTorch's own, and gives them all."""
    found = []
    for module in list(net.modules()):
        for name, child in module.named_children():
            if isinstance(child, nn.ReLU):
                found.append(Relu())
            elif isinstance(child, nn.MaxPool2d) and not child.padding:
                found.append(MaxPool(child))
            else:
                if isinstance(child, nn.Dropout):
                    child.p = 0.0
                continue
            setattr(module, name, found[-1])
    return found


def mnist_cnn3():
    def block(channels, outputs, *pool):
        conv = nn.Conv2d(channels, outputs, 5, padding=2)
        return nn.Sequential(conv, nn.BatchNorm2d(outputs), nn.ReLU(), *pool)

    layers = {
        "layer1": block(1, 16),
        "layer2": block(16, 32),
        "layer3": block(32, 64, nn.MaxPool2d(2)),
        "layer4": block(64, 128, nn.MaxPool2d(3, stride=1)),
        "flatten": nn.Flatten(),
        "fc1": nn.Linear(18432, 10),
    }
    net = nn.Sequential()
    for name, layer in layers.items():
        net.add_module(name, layer)
    return net, (4, 1, 28, 28), 10


def resnet18_cifar():
    net = models.resnet18(weights=None, num_classes=10)
    net.conv1 = nn.Conv2d(3, 64, 3, 1, 1, bias=False)
    net.maxpool = nn.Identity()
    net.avgpool = nn.MaxPool2d(4)
    return net, (2, 3, 32, 32), 10


def vgg16():
    return models.vgg16(weights=None), (1, 3, 64, 64), 1000


def rounded(values):
    return values.float().double()


def fill(net, change):
    """Fills the parameters by parity.json's formula, and then changes them."""
    tensors = [(n, v) for n, v in net.state_dict().items() if v.is_floating_point()]
    for t, (name, value) in enumerate(tensors):
        j = torch.arange(value.numel(), dtype=torch.float64)
        s = torch.sin(0.7 * j + 1.3 * t).reshape(value.shape)
        if name.endswith("running_var"):
            s = 1 + 0.5 * s * s
        elif value.dim() >= 2:
            s = s * math.sqrt(2 / (value.numel() / value.shape[0]))
        elif name.endswith("weight"):
            s = 1 + 0.2 * s
        else:
            s = 0.1 * s
        value.copy_(change(s))


class Run:
    """A network with its images and labels."""

    def __init__(self, make, change):
        self.net, shape, classes = make()
        self.net = self.net.double().train()
        self.kinked = replace_kinks(self.net)
        with torch.no_grad():
            fill(self.net, change)
        j = torch.arange(math.prod(shape), dtype=torch.float64)
        self.images = change(0.5 + 0.5 * torch.sin(0.05 * j + 0.3)).reshape(shape)
        self.labels = (3 * torch.arange(shape[0]) + 1) % classes

    def gradients(self, flipped):
        for k, layer in enumerate(self.kinked):
            layer.calls = []
            layer.flipped = {(call, i) for l, call, i in flipped if l == k}
        self.net.zero_grad()
        F.cross_entropy(self.net(self.images), self.labels).backward()
        digits = lambda x: float(f"{x:.9g}")
        return {
            name: {
                "norm": digits(p.grad.norm().item()),
                "head": [digits(v) for v in p.grad.reshape(-1)[:4].tolist()],
            }
            for name, p in self.net.named_parameters()
        }

    def calls(self):
        return {(l, c): x for l, layer in enumerate(self.kinked) for c, x in enumerate(layer.calls)}


def record(make):
    exact = Run(make, lambda values: values)
    exact.gradients(())
    exact = exact.calls()
    run = Run(make, rounded)
    run.gradients(())
    kinks = []
    for (layer, call), (distance, numbers) in run.calls().items():
        shift = (numbers - exact[layer, call][1]).abs()
        # The largest of a channel, or of all features.
        shift = shift.amax((0, 2, 3), keepdim=True) if shift.dim() == 4 else shift.max()
        near = (distance <= REACH * shift).reshape(-1).nonzero().reshape(-1).tolist()
        kinks += [(layer, call, i) for i in near]
    print(make.__name__, "kinks:", len(kinks), flush=True)
    subsets = itertools.chain.from_iterable(
        itertools.combinations(kinks, n) for n in range(len(kinks) + 1)
    )
    first, *others = (run.gradients(flipped) for flipped in subsets)
    return [first] + [changed(gradients, first) for gradients in others]


def changed(gradients, first):
    """Those that differ from the first ones by more than a hundredth of the tests' tolerance."""
    def differs(found, expected):
        numbers = zip([found["norm"], *found["head"]], [expected["norm"], *expected["head"]])
        return any(abs(f - e) > 1e-6 * expected["norm"] for f, e in numbers)

    return {n: g for n, g in gradients.items() if differs(g, first[n])}


if __name__ == "__main__":
    path = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../data/parity_f32.json")
    result = {make.__name__: record(make) for make in (mnist_cnn3, resnet18_cifar, vgg16)}
    with open(path, "w") as file:
        json.dump(result, file, separators=(",", ":"))
        file.write("\n")
