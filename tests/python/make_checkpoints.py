"""Writes the checkpoints that the tests in crates/models read: the same two tensors as popular programs leave them.

    python3 tests/python/make_checkpoints.py [FOLDER]

PyTorch is needed. The script gives the same bytes again.
"""

import argparse
import collections
import dataclasses
import enum
import hashlib
import io
import pathlib
import sys
import zipfile

import torch
from torch import nn

FOLDER = pathlib.Path(__file__).resolve().parents[2] / "crates/models/tests/data/checkpoints"


class Net(nn.Module):
    """[batch, 3] to [batch, 2]."""

    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(3, 2)
        with torch.no_grad():
            self.fc.weight.copy_(torch.arange(6.0).reshape(2, 3) / 8)
            self.fc.bias.copy_(torch.tensor([-1.0, 2.0]))

    def forward(self, x):
        return self.fc(x)


class Phase(enum.Enum):
    TRAINING = 1


@dataclasses.dataclass
class Checkpoint:
    weights: dict
    step: int
    phase: Phase


class Averages:
    """An object of some class that keeps a state dict."""

    def __init__(self, shadow):
        self.shadow = shadow
        self.decay = 0.9


def save_script(module, path):
    """As `torch.jit.save`, without the notes for a debugger, which name the files of this machine."""
    whole = io.BytesIO()
    torch.jit.save(module, whole)
    with zipfile.ZipFile(whole) as source, zipfile.ZipFile(path, "w") as target:
        for entry in source.infolist():
            if not entry.filename.endswith(".debug_pkl"):
                target.writestr(entry, source.read(entry), entry.compress_type)
    torch.jit.load(path)


def main(folder):
    folder.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(0)
    net = Net()
    state = dict(net.state_dict())
    other = {name: tensor + 1 for name, tensor in state.items()}
    prefixed = lambda prefix: {prefix + name: tensor for name, tensor in state.items()}
    optimizer = torch.optim.Adam(net.parameters(), lr=0.0, weight_decay=0.0)
    net(torch.ones(1, 3)).sum().backward()
    optimizer.step()

    files = {
        # With names of 21 letters, the first entry of the table of contents takes as many bytes as the end of
        # the long table of contents: 76.
        "05_lightning_compiled.ckpt": {
            "epoch": 3,
            "pytorch-lightning_version": "2.5.0",
            "state_dict": prefixed("model._orig_mod."),
            "loops": {"fit_loop": {"state_dict": {}}},
            "optimizer_states": [optimizer.state_dict()],
            "hyper_parameters": {"lr": 0.1},
        },
        "14_namespace_half.pth.tar": {
            "args": argparse.Namespace(lr=0.1),
            "state_dict": {name: tensor.half() for name, tensor in state.items()},
        },
        "beside.pt": {
            ("a", 1): None,
            2: "two",
            "epoch": 2**80,
            "best_acc1": torch.tensor(76.1),
            "loss": torch.tensor(0.5),
            "rng": torch.get_rng_state()[:16].clone(),
            "sparse": torch.eye(2).to_sparse(),
            "sizes": torch.Size([1, 2]),
            "counts": collections.Counter("ab"),
            "optimizer": optimizer.state_dict(),
            "my_own": state,
        },
        "averaged.pt": {"model_ema": {"decay": 0.9, "module": other}, "model": state},
        "adversarial.pt": {"generator": state, "discriminator": other},
        "dataclass.pt": Checkpoint(state, 3, Phase.TRAINING),
        "object.pt": [1, {"averages": Averages(state)}],
        "nested.pt": {"fc": {"weight": state["fc.weight"], "bias": state["fc.bias"]}, "fc2": {"bias": torch.ones(1)}},
        "module_in_checkpoint.pt": {"model": net, "ema": None, "updates": 3},
        "kinds.pt": {
            **state,
            "sparse.weight": torch.eye(2).to_sparse(),
            "quantized.weight": torch.quantize_per_tensor(torch.ones(2), 0.1, 0, torch.qint8),
            "float8.weight": torch.ones(2).to(torch.float8_e4m3fn),
            "meta.weight": torch.ones(2, device="meta"),
            "u16.weight": torch.tensor([1, 65535], dtype=torch.uint16),
            "parameter.weight": nn.Parameter(torch.ones(1)),
        },
        "not_finite.pt": {
            "fc.weight": torch.tensor([[0.0, float("nan"), 1.0], [float("inf"), 2.0, -float("inf")]]),
            "fc.bias": torch.zeros(2),
        },
    }
    for name, content in files.items():
        torch.save(content, folder / name)
    torch.serialization.set_crc32_options(False)
    torch.save(state, folder / "no_checksums.pt")
    torch.serialization.set_crc32_options(True)
    script = torch.jit.script(net.eval())
    save_script(script, folder / "script.pt")
    save_script(torch.jit.freeze(script), folder / "script_frozen.pt")

    print(f"Python {sys.version.split()[0]}, PyTorch {torch.__version__}")
    for path in sorted(folder.glob("*.*")):
        if path.name == "README.md":
            continue
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        print(f"| `{path.name}` | {path.stat().st_size} | `{digest}` |")


if __name__ == "__main__":
    main(pathlib.Path(sys.argv[1]) if len(sys.argv) > 1 else FOLDER)
