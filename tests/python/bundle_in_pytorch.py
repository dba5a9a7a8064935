"""The half of tests/bundle.rs that is PyTorch: a bundle is loaded and used.

    python3 tests/python/bundle_in_pytorch.py FOLDER

The test writes `net.safetensors`, a bundle, and `probabilities`, what it makes of two images. Here the
network is built from the bundle's own texts, takes the weights as they are with
`load_state_dict(strict=True)`, and its probabilities are compared. docs/bundle_in_pytorch.md records a
run.
"""

import collections
import json
import pathlib
import platform
import sys

import torch
from safetensors import __version__ as safetensors_version
from safetensors import safe_open
from safetensors.torch import load_file
from torch import nn

# Probabilities: the sums behind them are added up in another order.
TOLERANCE = 1e-5


def layer(spec, channels, features):
    """The module of one layer, for so many channels or features."""
    match spec["op"]:
        case "conv2d":
            return nn.Conv2d(channels, spec["out_channels"], spec["kernel"], spec["stride"],
                             spec["padding"], bias=spec["bias"])
        case "batch_norm2d":
            return nn.BatchNorm2d(channels)
        case "linear":
            return nn.Linear(features, spec["out_features"])
        case "relu":
            return nn.ReLU()
        case "max_pool2d":
            return nn.MaxPool2d(spec["kernel"], spec["stride"], spec["padding"])
        case "dropout":
            return nn.Dropout(spec["probability"])
        case "flatten":
            return nn.Flatten()
        case other:
            raise ValueError(f"no module for {other}")


def build(architecture):
    """A network with fresh weights."""
    modules = collections.OrderedDict()
    x = torch.zeros(1, *architecture["input"])
    for spec in architecture["layers"]:
        modules[spec["name"]] = layer(spec, x.shape[1], x.shape[1])
        x = modules[spec["name"]].eval()(x)
    return nn.Sequential(modules).eval()


def main(folder):
    path = folder / "net.safetensors"
    with safe_open(path, framework="pt") as file:
        texts = file.metadata()
    architecture, classes, normalization = (
        json.loads(texts[key]) for key in ["architecture", "classes", "normalization"])
    assert texts["format"] == "pt" and texts["bundle"] == "1", texts

    model = build(architecture)
    state = load_file(path)
    result = model.load_state_dict(state, strict=True)
    assert not result.missing_keys and not result.unexpected_keys, result

    shape = (2, *architecture["input"])
    pixels = (torch.arange(torch.Size(shape).numel()) * 37 % 256).reshape(shape)
    per_channel = lambda values: torch.tensor(values).reshape(1, -1, 1, 1)
    images = (pixels / 255 - per_channel(normalization["mean"])) / per_channel(normalization["std"])
    with torch.no_grad():
        expected = model(images).softmax(1)
    lines = (folder / "probabilities").read_text().split()
    found = torch.tensor([float(line) for line in lines]).reshape(2, len(classes))
    difference = (found - expected).abs().max().item()
    assert difference < TOLERANCE, difference
    print(f"Python {platform.python_version()}, PyTorch {torch.__version__}, "
          f"safetensors {safetensors_version}")
    print(f"{architecture['name']}: built from the bundle's texts, strict load accepted, "
          f"{len(state)} tensors, probabilities of {len(classes)} classes differ by {difference:.1e}")


if __name__ == "__main__":
    main(pathlib.Path(sys.argv[1]))
