#!/usr/bin/env python3
"""Writes ../data/parity_f32.json: gradients of networks that f32 cannot compute to 1e-4 of parity.json.

parity.json is computed in f64, its parameters and input included.  An f32 network starts from rounded
ones, and for two networks that alone moves some gradients by more than 1e-4, in exact arithmetic:
VGG-16 by cancellation, ResNet-18 because rounding carries a ReLU's input across 0.  So for these two
this script rounds the parameters and the input to f32, computes in f64, and records the gradients
once for every way of taking the ReLUs whose input is within 1e-6 of 0: at a kink, both one-sided
derivatives are right.

Needs torch and torchvision.  Per network a list of {parameter: {norm, head: first 4 entries}}.
"""
import itertools, json, math, os
import torch, torch.nn as nn, torch.nn.functional as F
import torchvision.models as models

KINK = 1e-6


class Relu(nn.Module):
    """ReLU whose derivative at the inputs near 0 is chosen: `sides` maps an index to True or False."""

    def __init__(self):
        super().__init__()
        self.sides, self.near = [], []

    def forward(self, x):
        open_ = x > 0
        calls = len(self.near)
        index = (x.detach().abs() < KINK).reshape(-1).nonzero().reshape(-1).tolist()
        self.near.append(index)
        for i in index:
            if (calls, i) in self.sides:
                open_ = open_.reshape(-1).clone()
                open_[i] = self.sides[(calls, i)]
                open_ = open_.reshape(x.shape)
        return torch.where(open_, x, torch.zeros_like(x))


def replace_relus(net):
    """Puts a `Relu` in the place of every nn.ReLU, and gives them all."""
    relus = []
    for module in list(net.modules()):
        for name, child in module.named_children():
            if isinstance(child, nn.ReLU):
                relus.append(Relu())
                setattr(module, name, relus[-1])
            elif isinstance(child, nn.Dropout):
                child.p = 0.0
    return relus


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


def fill(net):
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
        value.copy_(rounded(s))


def gradients(net, relus, images, labels, sides):
    for k, relu in enumerate(relus):
        relu.near, relu.sides = [], {(c, i): s for (r, c, i), s in sides.items() if r == k}
    net.zero_grad()
    F.cross_entropy(net(images), labels).backward()
    digits = lambda x: float(f"{x:.9g}")
    return {
        name: {
            "norm": digits(p.grad.norm().item()),
            "head": [digits(v) for v in p.grad.reshape(-1)[:4].tolist()],
        }
        for name, p in net.named_parameters()
    }


def record(make):
    net, shape, classes = make()
    net = net.double().train()
    relus = replace_relus(net)
    with torch.no_grad():
        fill(net)
    count = math.prod(shape)
    images = rounded(0.5 + 0.5 * torch.sin(0.05 * torch.arange(count, dtype=torch.float64) + 0.3))
    images = images.reshape(shape)
    labels = (3 * torch.arange(shape[0]) + 1) % classes
    first = gradients(net, relus, images, labels, {})
    kinks = [(r, c, i) for r, relu in enumerate(relus) for c, near in enumerate(relu.near) for i in near]
    print(make.__name__, "inputs of ReLUs within", KINK, "of 0:", len(kinks), flush=True)
    if not kinks:
        return [first]
    choices = itertools.product([False, True], repeat=len(kinks))
    return [gradients(net, relus, images, labels, dict(zip(kinks, c))) for c in choices]


if __name__ == "__main__":
    path = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../data/parity_f32.json")
    result = {make.__name__: record(make) for make in (resnet18_cifar, vgg16)}
    with open(path, "w") as file:
        json.dump(result, file, indent=0)
        file.write("\n")
