"""The half of tests/torchvision.rs that is PyTorch: weights from torchvision, and what became of them.

    python3 tests/python/torchvision_round_trip.py write NETWORK FOLDER
    python3 tests/python/torchvision_round_trip.py check NETWORK FOLDER

`write` makes the network of torchvision with random weights and writes its state dict with
`torch.save`, in the format of before PyTorch 1.6, and as safetensors. For each of the three, the test
then reads NAME, writes it again as NAME.back, and the outputs for two images as NAME.outputs. `check`
takes each NAME.back with `load_state_dict(strict=True)`, compares every tensor bit for bit, and the
outputs with PyTorch's own. docs/torchvision_round_trip.md records a run.
"""

import pathlib
import platform
import sys

import torch
import torchvision
from safetensors import __version__ as safetensors_version
from safetensors.torch import load_file, save_file

# Outputs, relative to the largest: sums of thousands of products, added up in another order.
TOLERANCE = 1e-4
FORMATS = {"torch.save": "zip.pt", "old format": "legacy.pth", "safetensors": "safetensors"}


def build(name):
    """The network with random weights; running statistics as after some training."""
    torch.manual_seed(1)
    model = getattr(torchvision.models, name)(num_classes=1000)
    for module in model.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            with torch.no_grad():
                module.weight.uniform_(0.5, 1.5)
                module.bias.normal_(0, 0.1)
                module.running_mean.normal_(0, 0.1)
                module.running_var.uniform_(0.5, 1.5)
                module.num_batches_tracked.fill_(1234)
    return model.eval()


def same_bits(a, b):
    return a.shape == b.shape and a.dtype == b.dtype and a.numpy().tobytes() == b.numpy().tobytes()


def write(name, folder):
    state = build(name).state_dict()
    torch.save(state, folder / FORMATS["torch.save"])
    torch.save(state, folder / FORMATS["old format"], _use_new_zipfile_serialization=False)
    save_file(state, folder / FORMATS["safetensors"])


def check(name, folder):
    model = build(name)
    state = model.state_dict()
    images = (torch.arange(2 * 3 * 224 * 224) * 37 % 256).reshape(2, 3, 224, 224) / 256
    with torch.no_grad():
        expected = model(images).flatten()
    print(f"Python {platform.python_version()}, PyTorch {torch.__version__}, "
          f"torchvision {torchvision.__version__}, safetensors {safetensors_version}")
    for label, file in FORMATS.items():
        found = torch.tensor([float(line) for line in open(folder / f"{file}.outputs")])
        fresh = getattr(torchvision.models, name)(num_classes=1000)
        result = fresh.load_state_dict(load_file(folder / f"{file}.back"), strict=True)
        assert not result.missing_keys and not result.unexpected_keys, result
        compared = 0
        for key, tensor in fresh.state_dict().items():
            if key.endswith("num_batches_tracked"):
                assert tensor == 0, "not written, so a new module's own"
                continue
            assert same_bits(tensor, state[key]), f"{name}: {key} differs"
            compared += 1
        assert found.shape == expected.shape, found.shape
        difference = ((found - expected).abs().max() / expected.abs().max()).item()
        assert difference < TOLERANCE, difference
        print(f"{name}, {label}: strict load accepted, {compared} tensors the same bit for bit, "
              f"outputs differ by {difference:.1e} of the largest")
    print(f"{name} passed")


if __name__ == "__main__":
    command, network, directory = sys.argv[1:]
    {"write": write, "check": check}[command](network, pathlib.Path(directory))
