"""Writes the files of weights that the tests in crates/models read.

    python3 tests/python/make_weights.py [FOLDER]

All hold the same small network, whose parameters follow from a formula, so that a run on another
machine gives the same values. PyTorch and the `safetensors` package are needed.
"""

import argparse
import collections
import hashlib
import json
import os
import pathlib
import sys
import tempfile

import torch
from safetensors.torch import save_file
from torch import nn

FOLDER = pathlib.Path(__file__).resolve().parents[2] / "crates/models/tests/data"


class Tiny(nn.Module):
    """[batch, 1, 8, 8] to [batch, 4]."""

    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(1, 3, 3, padding=1)
        self.bn1 = nn.BatchNorm2d(3)
        self.fc1 = nn.Linear(3 * 4 * 4, 5)
        self.fc2 = nn.Linear(5, 4)

    def forward(self, x):
        x = torch.max_pool2d(torch.relu(self.bn1(self.conv1(x))), 2)
        return self.fc2(torch.relu(self.fc1(x.flatten(1))))


def filled():
    """The network with entry j of tensor t of the state dict at (((31 j + 17 t) mod 64) - 32) / 64,
    running variances one more: multiples of 1/64, which every kind of float holds exactly."""
    model = Tiny().eval()
    for t, (name, tensor) in enumerate(model.state_dict().items()):
        if name.endswith("num_batches_tracked"):
            tensor.fill_(7)
            continue
        j = torch.arange(tensor.numel())
        values = (((31 * j + 17 * t) % 64) - 32) / 64
        if name.endswith("running_var"):
            values += 1
        tensor.copy_(values.reshape(tensor.shape))
    return model


def views(state):
    """The same values in tensors that are transposed, or slices of one storage."""
    state = collections.OrderedDict(state)
    state["fc1.weight"] = state["fc1.weight"].t().contiguous().t()
    state["conv1.weight"] = state["conv1.weight"].contiguous(memory_format=torch.channels_last)
    shared = torch.cat([torch.full((3,), 9.0), state["fc2.weight"].flatten(), state["fc2.bias"]])
    state["fc2.weight"] = shared[3:23].view(4, 5)
    state["fc2.bias"] = shared[23:]
    assert not state["fc1.weight"].is_contiguous() and state["fc2.bias"].storage_offset() == 23
    return state


MARKER = "selvedge_pickle_was_run"


class Command:
    """Whatever unpickles this runs a command."""

    def __reduce__(self):
        return os.system, (f"touch {MARKER}",)


class Code:
    """Whatever unpickles this evaluates an expression."""

    def __init__(self, *beside):
        self.beside = beside

    def __reduce__(self):
        return eval, (f"open('{MARKER}', 'w').close()", *[{"t": t} for t in self.beside])


def write_malicious(folder, state):
    """Files that create a file called MARKER when Python loads them."""
    commands = {"model_state_dict": state, "before": Command(), "after": Code()}
    torch.save(commands, folder / "tiny_commands.pt")
    torch.save(commands, folder / "tiny_commands_legacy.pt", _use_new_zipfile_serialization=False)
    torch.save(Command(), folder / "tiny_command_alone.pt")
    torch.save({"conv1.weight": Code(state["conv1.weight"])}, folder / "tiny_code_for_a_tensor.pt")
    for path in folder.glob("tiny_co[dm]*.pt"):
        with tempfile.TemporaryDirectory() as empty:
            os.chdir(empty)
            torch.load(path, weights_only=False)
            assert os.path.exists(MARKER), f"{path} is harmless"
            os.chdir(folder)


def main(folder):
    folder = folder.resolve()
    folder.mkdir(parents=True, exist_ok=True)
    model = filled()
    state = model.state_dict()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.5, momentum=0.9)
    model(torch.ones(1, 1, 8, 8)).sum().backward()
    optimizer.param_groups[0]["lr"] = 0.0
    optimizer.step()
    checkpoint = {
        "epoch": 3,
        "args": argparse.Namespace(lr=0.5, arch="tiny"),
        "model_state_dict": state,
        "optimizer_state_dict": optimizer.state_dict(),
    }
    cast = lambda dtype: {k: v.to(dtype) if v.is_floating_point() else v for k, v in state.items()}

    torch.save(state, folder / "tiny.pt")
    torch.save(state, folder / "tiny_legacy.pt", _use_new_zipfile_serialization=False)
    torch.save(state, folder / "tiny_protocol4.pt", pickle_protocol=4)
    torch.save(checkpoint, folder / "tiny_checkpoint.pt")
    torch.save(nn.DataParallel(model).state_dict(), folder / "tiny_data_parallel.pt")
    torch.save(cast(torch.float16), folder / "tiny_f16.pt")
    torch.save(cast(torch.float64), folder / "tiny_f64.pt")
    torch.save(views(state), folder / "tiny_views.pt")
    torch.save(model, folder / "tiny_module.pt")
    torch.save([p.detach() for p in model.parameters()], folder / "tiny_list.pt")
    save_file(state, folder / "tiny.safetensors")
    save_file(cast(torch.float16), folder / "tiny_f16.safetensors")
    save_file(cast(torch.bfloat16), folder / "tiny_bf16.safetensors")

    write_malicious(folder, state)

    one = {"c.weight": torch.tensor([-3.0, 9.0]).reshape(2, 1, 1, 1)}
    torch.save(one, folder / "one.pt")
    torch.save(one, folder / "one_legacy.pt", _use_new_zipfile_serialization=False)
    torch.save(nn.Sequential(nn.ReLU(), nn.Flatten()).state_dict(), folder / "empty.pt")

    x = (torch.arange(2 * 64) * 37 % 256).reshape(2, 1, 8, 8) / 256
    with torch.no_grad():
        logits = filled()(x)
    (folder / "tiny.json").write_text(json.dumps({"logits": logits.tolist()}) + "\n")

    versions = f"Python {sys.version.split()[0]}, PyTorch {torch.__version__}"
    print(versions)
    for path in sorted(folder.glob("*.*")):
        if path.name == "README.md":
            continue
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        print(f"| `{path.name}` | {path.stat().st_size} | `{digest}` |")


if __name__ == "__main__":
    main(pathlib.Path(sys.argv[1]) if len(sys.argv) > 1 else FOLDER)
