#!/usr/bin/env python3
"""Writes ../data/parity_f32.json: gradients of networks that f32 cannot compute to 1e-4 of parity.json.

parity.json is computed in f64, its parameters and input included.  An f32 network starts from rounded
ones, and for two networks that alone moves some gradients by more than 1e-4, in exact arithmetic:
VGG-16 by cancellation, ResNet-18 because rounding carries a ReLU's input across 0.  So for these two
this script rounds the parameters and the input to f32, computes in f64, and records the gradients
once for every way of taking the ReLUs that are at a kink, where both one-sided derivatives are right:
those whose input is within REACH times what the rounding moves any input of that layer by.

Needs torch and torchvision.  Per network a list of {parameter: {norm, head: first 4 entries}}.
"""
import itertools, json, math, os
import torch, torch.nn as nn, torch.nn.functional as F
import torchvision.models as models

# How much further from the exact result f32 gets than by rounding its start.
REACH = 2


class Relu(nn.Module):
    """ReLU whose inputs are kept, and whose derivative can be chosen: `sides` maps the number of the
    call and the index of an input to True or False."""

    def __init__(self):
        super().__init__()
        self.sides, self.inputs = {}, []

    def forward(self, x):
        is_open = (x > 0).reshape(-1)
        for (call, i), side in self.sides.items():
            if call == len(self.inputs):
                is_open[i] = side
        self.inputs.append(x.detach().reshape(-1))
        return torch.where(is_open.reshape(x.shape), x, torch.zeros_like(x))


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
        self.relus = replace_relus(self.net)
        with torch.no_grad():
            fill(self.net, change)
        j = torch.arange(math.prod(shape), dtype=torch.float64)
        self.images = change(0.5 + 0.5 * torch.sin(0.05 * j + 0.3)).reshape(shape)
        self.labels = (3 * torch.arange(shape[0]) + 1) % classes

    def gradients(self, sides):
        for k, relu in enumerate(self.relus):
            relu.inputs = []
            relu.sides = {(call, i): s for (r, call, i), s in sides.items() if r == k}
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

    def relu_inputs(self):
        return {(r, c): x for r, relu in enumerate(self.relus) for c, x in enumerate(relu.inputs)}


def record(make):
    exact = Run(make, lambda values: values)
    exact.gradients({})
    exact = exact.relu_inputs()
    run = Run(make, rounded)
    run.gradients({})
    kinks = []
    for (relu, call), x in run.relu_inputs().items():
        shift = (x - exact[relu, call]).abs().max()
        near = (x.abs() <= REACH * shift).nonzero().reshape(-1).tolist()
        kinks += [(relu, call, i) for i in near]
    print(make.__name__, "inputs of ReLUs at a kink:", len(kinks), flush=True)
    choices = itertools.product([False, True], repeat=len(kinks))
    return [run.gradients(dict(zip(kinks, c))) for c in choices]


if __name__ == "__main__":
    path = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../data/parity_f32.json")
    result = {make.__name__: record(make) for make in (resnet18_cifar, vgg16)}
    with open(path, "w") as file:
        json.dump(result, file, indent=0)
        file.write("\n")
