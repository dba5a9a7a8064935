"""Checks that weights go from torchvision to Selvedge and back without a bit's change.

    python3 tests/python/torchvision_round_trip.py

For ResNet-18 and VGG-16 with random weights: PyTorch writes the state dict with `torch.save`, in the
format of before PyTorch 1.6, and as safetensors; the example `torchvision_round_trip` of
selvedge-models reads each, writes it as safetensors and prints what the network makes of two images;
PyTorch takes the result with `load_state_dict(strict=True)`, compares every tensor bit for bit, and
the outputs with its own. docs/torchvision_round_trip.md records a run.

Without PyTorch, torchvision or safetensors nothing is checked, and the script says so.
"""

import pathlib
import platform
import subprocess
import sys
import tempfile

try:
    import torch
    import torchvision
    from safetensors import __version__ as safetensors_version
    from safetensors.torch import load_file, save_file
except ImportError as error:
    print(f"skipped: {error.name} is not installed, nothing was checked")
    sys.exit(0)

ROOT = pathlib.Path(__file__).resolve().parents[2]
# Outputs, relative to the largest: sums of thousands of products, added up in another order.
TOLERANCE = 1e-4
EXAMPLE = ["cargo", "run", "--quiet", "--package", "selvedge-models", "--features", "flex",
           "--example", "torchvision_round_trip", "--"]


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


def check(name, folder):
    model = build(name)
    state = model.state_dict()
    files = {"torch.save": folder / f"{name}.pt", "old format": folder / f"{name}_legacy.pth",
             "safetensors": folder / f"{name}.safetensors"}
    torch.save(state, files["torch.save"])
    torch.save(state, files["old format"], _use_new_zipfile_serialization=False)
    save_file(state, files["safetensors"])
    images = (torch.arange(2 * 3 * 224 * 224) * 37 % 256).reshape(2, 3, 224, 224) / 256
    with torch.no_grad():
        expected = model(images).flatten()

    for label, path in files.items():
        back = folder / "back.safetensors"
        command = [*EXAMPLE, str(path), str(back)]
        run = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, check=True)
        found = torch.tensor([float(line) for line in run.stdout.split()])
        fresh = getattr(torchvision.models, name)(num_classes=1000)
        result = fresh.load_state_dict(load_file(back), strict=True)
        assert not result.missing_keys and not result.unexpected_keys, result
        compared = 0
        for key, tensor in fresh.state_dict().items():
            if key.endswith("num_batches_tracked"):
                assert tensor == 0, "not written, so a new module's own"
                continue
            assert same_bits(tensor, state[key]), f"{name}: {key} differs"
            compared += 1
        difference = ((found - expected).abs().max() / expected.abs().max()).item()
        assert found.shape == expected.shape and difference < TOLERANCE, difference
        print(f"{name}, {label}: strict load accepted, {compared} tensors the same bit for bit, "
              f"outputs differ by {difference:.1e} of the largest")
        for old in (path, back):
            old.unlink()


def main():
    print(f"Python {platform.python_version()}, PyTorch {torch.__version__}, "
          f"torchvision {torchvision.__version__}, safetensors {safetensors_version}")
    with tempfile.TemporaryDirectory() as folder:
        for name in ["resnet18", "vgg16"]:
            check(name, pathlib.Path(folder))
    print("passed")


if __name__ == "__main__":
    main()
