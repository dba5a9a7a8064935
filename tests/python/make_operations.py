#!/usr/bin/env python3
"""Writes ../data/operations.json: what PyTorch computes for each operation of ../parity/operations.rs.

A case is a network as Selvedge's JSON and the same in PyTorch.  Tensor t of the state dict has the entries
sin(1.7 j^2 + t) / 2, 1 more for the weight of a normalization, the absolute value plus 1/2 for a running
variance; the images 3 sin(0.9 j^2 + 0.2), of which every seventh is 0, -3, 3 or 6, where gradients have kinks.
The loss is the sum of the outputs times cos(0.8 j).  All in f64: the outputs in eval(), and in train() the
outputs, the gradients of the images and of all parameters, and the running statistics after the pass.

Needs torch 2.15 and torchvision 0.29.
"""
import json, math, os
import torch, torch.nn as nn, torch.nn.functional as F
import torchvision

# Six of them for the statistics of a batch of features: of two, f32 makes 4e-4 of an error.
SHAPE = (4, 5, 6)
BATCH = {"flat_batch_norm1d": 6}


class Branches(nn.Module):
    """Named layers in paths from one input, and what becomes of the ends."""

    def __init__(self, paths, join):
        super().__init__()
        self.names, self.join = [[name for name, _ in path] for path in paths], join
        for path in paths:
            for name, layer in path:
                self.add_module(name, layer)

    def forward(self, x):
        ends = []
        for names in self.names:
            y = x
            for name in names:
                y = getattr(self, name)(y)
            ends.append(y)
        return self.join(x, ends)


class ChannelNorm(nn.LayerNorm):
    """torchvision's LayerNorm2d: over the channels of each pixel."""

    def forward(self, x):
        return super().forward(x.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)


def conv(**settings):
    return {"op": "conv2d", "kernel": 3, **settings}


def squeeze_excite():
    """torchvision's own, with the names of the JSON."""
    se = torchvision.ops.SqueezeExcitation(4, 2, scale_activation=nn.Hardsigmoid)
    json = [
        {"name": "avgpool", "op": "adaptive_avg_pool2d", "size": 1},
        {"name": "fc1", "op": "conv2d", "out_channels": 2, "kernel": 1},
        {"name": "activation", "op": "relu"},
        {"name": "fc2", "op": "conv2d", "out_channels": 4, "kernel": 1},
        {"name": "scale_activation", "op": "hard_sigmoid"},
    ]
    return {"op": "gate", "path": json}, se


def concat():
    paths = [
        [("a", nn.Conv2d(4, 3, 1)), ("relu", nn.ReLU())],
        [("b", nn.Conv2d(4, 2, 3, padding=1, bias=False))],
        [],
    ]
    json = [
        [{"name": "a", "op": "conv2d", "out_channels": 3, "kernel": 1}, {"name": "relu", "op": "relu"}],
        [{"name": "b", "op": "conv2d", "out_channels": 2, "kernel": 3, "padding": 1, "bias": False}],
        [],
    ]
    return {"op": "concat", "branches": json}, Branches(paths, lambda x, ends: torch.cat(ends, 1))


class PreAct(nn.Module):
    def __init__(self):
        super().__init__()
        self.bn1, self.conv1 = nn.BatchNorm2d(4), nn.Conv2d(4, 6, 3, 2, 1, bias=False)
        self.convShortcut = nn.Conv2d(4, 6, 1, 2, bias=False)

    def forward(self, x):
        x = F.relu(self.bn1(x))
        return self.conv1(x) + self.convShortcut(x)


def pre_activated():
    layer = lambda name, **settings: {"name": name, "op": "conv2d", "out_channels": 6, "stride": 2, "bias": False, **settings}
    json = {
        "op": "residual",
        "before": [{"name": "bn1", "op": "batch_norm2d"}, {"name": "relu1", "op": "relu"}],
        "main": [layer("conv1", kernel=3, padding=1)],
        "shortcut": [layer("convShortcut", kernel=1)],
    }
    return json, PreAct()


def pool(**settings):
    json = {"op": "avg_pool2d", **settings}
    kernel, stride = settings.pop("kernel"), settings.pop("stride")
    return json, nn.AvgPool2d(kernel, stride, **settings)


def same(kernel, stride, sides):
    top, bottom, left, right = sides
    json = conv(out_channels=3, kernel=kernel, stride=stride, padding=sides)
    return json, nn.Sequential(nn.ZeroPad2d((left, right, top, bottom)), nn.Conv2d(4, 3, kernel, stride))


def transposed(out_channels=3, kernel=3, **settings):
    json = {"op": "conv_transpose2d", "out_channels": out_channels, "kernel": kernel, **settings}
    return json, nn.ConvTranspose2d(4, out_channels, kernel, **settings)


def max_pool(**settings):
    return {"op": "max_pool2d", **settings}, nn.MaxPool2d(settings.pop("kernel"), **settings)


def rectangular(kernel, stride=1, padding=0, groups=1, out_channels=4):
    """Padding of PyTorch's two numbers as the four of the JSON."""
    rows, columns = padding if isinstance(padding, list) else [padding] * 2
    json = conv(out_channels=out_channels, kernel=kernel, stride=stride, padding=[rows, rows, columns, columns], groups=groups)
    return json, nn.Conv2d(4, out_channels, kernel, stride, padding, groups=groups)


# The layer under test is called `layer`; a case whose JSON begins with `flat` sees features.
class Scale(nn.Module):
    def __init__(self, factor):
        super().__init__()
        self.factor = factor

    def forward(self, x):
        return x * self.factor


CASES = {
    "depthwise": (conv(out_channels=4, padding=1, groups=4), nn.Conv2d(4, 4, 3, padding=1, groups=4)),
    "depthwise_5_stride_2": (
        conv(out_channels=4, kernel=5, stride=2, padding=2, groups=4, bias=False),
        nn.Conv2d(4, 4, 5, 2, 2, groups=4, bias=False),
    ),
    "depthwise_multiplier": (conv(out_channels=8, groups=4), nn.Conv2d(4, 8, 3, groups=4)),
    "grouped": (conv(out_channels=6, stride=2, padding=1, groups=2), nn.Conv2d(4, 6, 3, 2, 1, groups=2)),
    "dilated": (conv(out_channels=3, padding=2, dilation=2), nn.Conv2d(4, 3, 3, padding=2, dilation=2)),
    "asymmetric_padding": same(3, 2, [0, 1, 1, 2]),
    "depthwise_asymmetric": (
        conv(out_channels=4, stride=2, padding=[0, 1, 0, 1], groups=4, bias=False),
        nn.Sequential(nn.ZeroPad2d((0, 1, 0, 1)), nn.Conv2d(4, 4, 3, 2, groups=4, bias=False)),
    ),
    "transposed_stride_2": transposed(stride=2, padding=1, output_padding=1),
    "transposed_without_bias": transposed(stride=3, bias=False),
    "transposed_padding": transposed(padding=1),
    "batch_norm2d_settings": (
        {"op": "batch_norm2d", "epsilon": 1e-3, "momentum": 0.01},
        nn.BatchNorm2d(4, 1e-3, 0.01),
    ),
    "flat_batch_norm1d": ({"op": "batch_norm1d"}, nn.BatchNorm1d(120)),
    "group_norm": ({"op": "group_norm", "groups": 2}, nn.GroupNorm(2, 4)),
    "flat_group_norm": ({"op": "group_norm", "groups": 8, "epsilon": 1e-3}, nn.GroupNorm(8, 120, 1e-3)),
    "layer_norm": ({"op": "layer_norm", "epsilon": 1e-6}, ChannelNorm(4, 1e-6)),
    "flat_layer_norm": ({"op": "layer_norm"}, nn.LayerNorm(120)),
    "flat_linear_without_bias": ({"op": "linear", "out_features": 3, "bias": False}, nn.Linear(120, 3, bias=False)),
    "relu6": ({"op": "relu6"}, nn.ReLU6()),
    "leaky_relu": ({"op": "leaky_relu", "negative_slope": 0.2}, nn.LeakyReLU(0.2)),
    "gelu": ({"op": "gelu"}, nn.GELU()),
    "gelu_tanh": ({"op": "gelu", "approximate": "tanh"}, nn.GELU("tanh")),
    "silu": ({"op": "silu"}, nn.SiLU()),
    "hard_swish": ({"op": "hard_swish"}, nn.Hardswish()),
    "hard_sigmoid": ({"op": "hard_sigmoid"}, nn.Hardsigmoid()),
    "scale": ({"op": "scale", "factor": 0.25}, Scale(0.25)),
    "flat_relu6": ({"op": "relu6"}, nn.ReLU6()),
    "identity": ({"op": "identity"}, nn.Identity()),
    "avg_pool": pool(kernel=2, stride=2),
    "avg_pool_padding": pool(kernel=3, stride=2, padding=1),
    "avg_pool_pixels_alone": pool(kernel=3, stride=2, padding=1, count_include_pad=False),
    "avg_pool_ceil": pool(kernel=2, stride=2, ceil_mode=True),
    "avg_pool_ceil_padding": pool(kernel=3, stride=2, padding=1, ceil_mode=True),
    "avg_pool_ceil_pixels_alone": pool(kernel=2, stride=3, padding=1, ceil_mode=True, count_include_pad=False),
    "rectangular": rectangular([1, 5], padding=[0, 2]),
    "rectangular_stride": rectangular([3, 2], stride=[2, 1], padding=[1, 0], out_channels=3),
    "rectangular_depthwise": rectangular([3, 1], stride=[1, 2], padding=[1, 0], groups=4),
    "rectangular_grouped": rectangular([2, 3], padding=[0, 1], groups=2, out_channels=6),
    "transposed_rectangular": transposed(kernel=[3, 2], stride=[2, 3], padding=[1, 0], output_padding=[1, 2]),
    "transposed_grouped": transposed(out_channels=6, groups=2, stride=2, padding=1),
    "transposed_dilated": transposed(dilation=2, stride=2, padding=1, output_padding=1),
    "transposed_depthwise_dilated": transposed(out_channels=4, kernel=[2, 3], groups=4, dilation=3, bias=False),
    "max_pool_rectangular": max_pool(kernel=[2, 3], stride=[1, 2], padding=[0, 1]),
    "max_pool_ceil": max_pool(kernel=3, stride=2, ceil_mode=True),
    # The last window would begin beyond the image and its padding, and is none.
    "max_pool_ceil_padding": max_pool(kernel=2, stride=2, padding=1, ceil_mode=True),
    "max_pool_ceil_rectangular": max_pool(kernel=[3, 4], stride=[3, 5], padding=[1, 2], ceil_mode=True),
    "avg_pool_rectangular": pool(kernel=[2, 3], stride=[2, 1], padding=[1, 0]),
    "avg_pool_rectangular_ceil": pool(
        kernel=[3, 2], stride=[2, 3], padding=[1, 0], ceil_mode=True, count_include_pad=False
    ),
    "squeeze_excite": squeeze_excite(),
    "concat": concat(),
    "pre_activated": pre_activated(),
}


def digits(values):
    return [float(f"{v:.9g}") for v in values.detach().reshape(-1).tolist()]


def record(name, settings, layer):
    flat = name.startswith("flat")
    layers = [{"name": "layer", **settings}]
    if flat:
        layers.insert(0, {"name": "flatten1", "op": "flatten"})
    net = (nn.Sequential(nn.Flatten(), layer) if flat else layer).double()
    state = [(n, v) for n, v in layer.state_dict().items() if v.is_floating_point()]
    with torch.no_grad():
        for t, (part, value) in enumerate(state):
            j = torch.arange(value.numel(), dtype=torch.float64)
            s = (torch.sin(1.7 * j * j + t) / 2).reshape(value.shape)
            if part.endswith("running_var"):
                s = s.abs() + 0.5
            elif value.dim() == 1 and part.endswith("weight"):
                s = s + 1
            value.copy_(s)
    shape = (BATCH.get(name, 2), *SHAPE)
    j = torch.arange(math.prod(shape), dtype=torch.float64)
    images = 3 * torch.sin(0.9 * j * j + 0.2)
    images[::7] = torch.tensor([0.0, -3.0, 3.0, 6.0], dtype=torch.float64).repeat(len(images))[: len(images[::7])]
    images = images.reshape(shape).requires_grad_()
    # Without the number that a Sequential of padding and layer adds.
    part = lambda n: "layer." + n.removeprefix("1.")
    tensors = [[part(n), list(v.shape)] for n, v in state]
    with torch.no_grad():
        inference = net.eval()(images)
    output = net.train()(images)
    weights = torch.cos(0.8 * torch.arange(output.numel(), dtype=torch.float64)).reshape(output.shape)
    (output * weights).sum().backward()
    gradients = {part(n): digits(p.grad) for n, p in layer.named_parameters()}
    buffers = {part(n): digits(v) for n, v in layer.named_buffers() if v.is_floating_point()}
    return {
        "network": {"name": name, "input": list(SHAPE), "layers": layers},
        "batch": shape[0],
        "tensors": tensors,
        "shape": list(output.shape[1:]),
        "inference": digits(inference),
        "output": digits(output),
        "gradients": {"images": digits(images.grad), **gradients},
        "buffers": buffers,
    }


if __name__ == "__main__":
    path = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../data/operations.json")
    result = [record(name, *case) for name, case in CASES.items()]
    with open(path, "w") as file:
        json.dump(result, file, separators=(",", ":"))
        file.write("\n")
