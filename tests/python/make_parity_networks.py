#!/usr/bin/env python3
"""Writes ../data/parity_networks.json: what PyTorch computes for the networks of ../parity/networks.rs.

Entry j of tensor t of the state dict follows from u = (31 j^2 + 7 j + 1009 t) mod 10007 / 10006, in [0, 1]:
with s = 2 u - 1, a weight is s times sqrt(6 / fan_in), a bias or running mean 0.1 s, the weight of a
normalization 1 + 0.2 s and a running variance 1 + 0.5 s^2.  The pixels are u for t = 0, the label of image n
is (3 n + 1) mod classes.  (parity.json's formula, a sine, makes rows of weights that nearly depend on each
other: in networks this deep, f32 is off by 1e-2 then.)

Everything is computed in f64.  Per network: the tensors of the state dict, the outputs in eval(), and in
train(), without dropout, the cross-entropy, the gradients (norm and first 4 entries) and the running
statistics after the pass (first 4 entries).

Needs torch 2.15, torchvision 0.29 and efficientnet-lite-pytorch 0.1.
"""
import json, math, os
import torch, torch.nn as nn, torch.nn.functional as F
import torchvision.models as models
from efficientnet_lite_pytorch import EfficientNet

CLASSES = 10


class PreActBlock(nn.Module):
    """The block of "Identity mappings in deep residual networks"; `shortcut` is its shortcut's name."""

    def __init__(self, inputs, outputs, stride, shortcut):
        super().__init__()
        self.bn1 = nn.BatchNorm2d(inputs)
        self.conv1 = nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(outputs)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False)
        self.name = None
        if stride != 1 or inputs != outputs:
            conv = nn.Conv2d(inputs, outputs, 1, stride, bias=False)
            self.name = shortcut
            self.add_module(shortcut, nn.Sequential(conv) if shortcut == "shortcut" else conv)

    def forward(self, x):
        out = F.relu(self.bn1(x))
        x = getattr(self, self.name)(out) if self.name else x
        return self.conv2(F.relu(self.bn2(self.conv1(out)))) + x


class PreActResNet(nn.Module):
    def __init__(self, blocks, width, shortcut):
        super().__init__()
        self.conv1 = nn.Conv2d(3, 16, 3, 1, 1, bias=False)
        self.wide = shortcut == "convShortcut"
        inputs = 16
        for stage in range(3):
            outputs = (16 << stage) * width
            layers = []
            for block in range(blocks):
                stride = 2 if stage and not block else 1
                layers.append(PreActBlock(inputs, outputs, stride, shortcut))
                inputs = outputs
            layers = nn.Sequential(*layers)
            if self.wide:
                inner = nn.Module()
                inner.layer = layers
                self.add_module(f"block{stage + 1}", inner)
            else:
                self.add_module(f"layer{stage + 1}", layers)
        self.add_module("bn1" if self.wide else "bn", nn.BatchNorm2d(inputs))
        self.add_module("fc" if self.wide else "linear", nn.Linear(inputs, CLASSES))

    def forward(self, x):
        x = self.conv1(x)
        for stage in range(1, 4):
            x = getattr(self, f"block{stage}").layer(x) if self.wide else getattr(self, f"layer{stage}")(x)
        x = F.relu((self.bn1 if self.wide else self.bn)(x))
        return (self.fc if self.wide else self.linear)(F.adaptive_avg_pool2d(x, 1).flatten(1))


class LeNet5(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(1, 6, 5, padding=2)
        self.conv2 = nn.Conv2d(6, 16, 5)
        self.fc1, self.fc2 = nn.Linear(400, 120), nn.Linear(120, 84)
        self.fc3 = nn.Linear(84, CLASSES)

    def forward(self, x):
        x = F.avg_pool2d(torch.tanh(self.conv1(x)), 2)
        x = F.avg_pool2d(torch.tanh(self.conv2(x)), 2).flatten(1)
        return self.fc3(torch.tanh(self.fc2(torch.tanh(self.fc1(x)))))


def resnet18_28():
    net = models.resnet18(num_classes=CLASSES)
    net.conv1 = nn.Conv2d(1, 64, 7, 2, 3, bias=False)
    return net


def vgg11_28():
    net = models.vgg11(num_classes=CLASSES)
    net.features[0] = nn.Conv2d(1, 64, 3, padding=1)
    # Of 28 x 28 pixels one is left, of which no pool has a window.
    net.features[20] = nn.Identity()
    return net


NETWORKS = {
    "lenet5": (LeNet5, (4, 1, 28, 28)),
    "resnet50": (lambda: models.resnet50(num_classes=CLASSES), (2, 3, 64, 64)),
    "resnet18": (resnet18_28, (4, 1, 28, 28)),
    "vgg11": (vgg11_28, (2, 1, 28, 28)),
    "preact_resnet20": (lambda: PreActResNet(3, 1, "shortcut"), (4, 3, 32, 32)),
    "wide_resnet16_4": (lambda: PreActResNet(2, 4, "convShortcut"), (2, 3, 32, 32)),
    "mobilenet_v2": (lambda: models.mobilenet_v2(num_classes=CLASSES), (2, 3, 64, 64)),
    # Not a multiple of 32, so that the padding differs between the sides and between the axes.
    "efficientnet_lite0": (
        lambda: EfficientNet.from_name(
            "efficientnet-lite0", num_classes=CLASSES, image_size=(70, 64), drop_connect_rate=0.0
        ),
        (2, 3, 70, 64),
    ),
}


def uniform(count, t):
    j = torch.arange(count)
    return ((31 * j * j + 7 * j + 1009 * t) % 10007).double() / 10006


def fill(net):
    tensors = [(n, v) for n, v in net.state_dict().items() if v.is_floating_point()]
    for t, (name, value) in enumerate(tensors):
        s = (2 * uniform(value.numel(), t) - 1).reshape(value.shape)
        if name.endswith("running_var"):
            s = 1 + 0.5 * s * s
        elif value.dim() >= 2:
            s = s * math.sqrt(6 / (value.numel() / value.shape[0]))
        elif name.endswith("weight"):
            s = 1 + 0.2 * s
        else:
            s = 0.1 * s
        value.copy_(s)


def digits(x):
    return float(f"{x:.9g}")


def head(x, n):
    return [digits(v) for v in x.detach().reshape(-1)[:n].tolist()]


def record(make, shape):
    net = make().double()
    for module in net.modules():
        if isinstance(module, nn.Dropout):
            module.p = 0.0
    with torch.no_grad():
        fill(net)
    images = uniform(math.prod(shape), 0).reshape(shape)
    labels = (3 * torch.arange(shape[0]) + 1) % CLASSES
    state = [[n, list(v.shape)] for n, v in net.state_dict().items() if v.is_floating_point()]
    with torch.no_grad():
        output = net.eval()(images)
    loss = F.cross_entropy(net.train()(images), labels)
    loss.backward()
    return {
        "input_shape": list(shape),
        "classes": CLASSES,
        "state_dict": state,
        "parameters": sum(p.numel() for p in net.parameters()),
        "output": head(output, output.numel()),
        "loss": digits(loss.item()),
        "grads": {
            n: {"norm": digits(p.grad.norm().item()), "head": head(p.grad, 4)}
            for n, p in net.named_parameters()
        },
        "buffers": {n: head(v, 4) for n, v in net.named_buffers() if v.is_floating_point()},
    }


if __name__ == "__main__":
    path = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../data/parity_networks.json")
    result = {}
    for name, (make, shape) in NETWORKS.items():
        result[name] = record(make, shape)
        print(name, result[name]["parameters"], result[name]["loss"], result[name]["output"][:4])
    with open(path, "w") as file:
        json.dump(result, file, separators=(",", ":"))
        file.write("\n")
