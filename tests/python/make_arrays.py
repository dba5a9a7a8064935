"""Writes the files of NumPy's arrays and of floats of 8 bits that the tests in crates/models read.

    python3 tests/python/make_arrays.py [FOLDER]

NumPy, joblib, PyTorch and safetensors are needed. The script gives the same bytes again, but for `tensors.pkl`.
"""

import hashlib
import pathlib
import pickle
import sys

import joblib
import numpy
import safetensors.torch
import torch

FOLDER = pathlib.Path(__file__).resolve().parents[2] / "crates/models/tests/data/arrays"


def main(folder):
    folder.mkdir(parents=True, exist_ok=True)
    weight = (numpy.arange(6.0) / 8).reshape(2, 3)
    bias = numpy.array([-1.0, 2.0])
    arrays = {"fc.weight": weight.astype("<f4"), "fc.bias": bias.astype("<f4")}
    # Columns first, the most significant byte first, half precision, beside what is no weight.
    others = {
        "fc.weight": numpy.asfortranarray(weight),
        "fc.bias": bias.astype(">f2"),
        "names.list": numpy.array(["a", "bc"]),
        "empty.weight": numpy.zeros((0, 3), dtype="<f4"),
    }
    for protocol in [2, 3, 4, 5]:
        (folder / f"protocol{protocol}.pkl").write_bytes(pickle.dumps(arrays, protocol))
        (folder / f"others{protocol}.pkl").write_bytes(pickle.dumps(others, protocol))
    torch.save({"state_dict": others, "epoch": numpy.float32(3)}, folder / "in_checkpoint.pt")
    torch.save({"net": others}, folder / "in_checkpoint_legacy.pt", _use_new_zipfile_serialization=False)
    tensors = {name: torch.from_numpy(array) for name, array in arrays.items()}
    torch.save({"mine": tensors, "metrics": {"val.loss": numpy.arange(400.0)}}, folder / "measured.pt")
    (folder / "tensors.pkl").write_bytes(pickle.dumps(tensors, 4))
    joblib.dump(arrays, folder / "joblib.pkl")
    joblib.dump({"params": others, "score": 0.5}, folder / "joblib_others.pkl")
    joblib.dump(arrays, folder / "joblib_zlib.pkl", compress=3)
    numpy.savez(folder / "arrays.npz", **arrays)
    numpy.savez_compressed(folder / "others.npz", **others)
    # In numbers of eight bits: multiples of 1/8 below 1, and two larger ones.
    state = {"fc.weight": torch.from_numpy(weight), "fc.bias": torch.from_numpy(bias)}
    for name, dtype in [("e4m3", torch.float8_e4m3fn), ("e5m2", torch.float8_e5m2)]:
        float8 = {key: tensor.to(dtype) for key, tensor in state.items()}
        assert all((float8[key].double() == state[key]).all() for key in state)
        torch.save({**float8, "fc.weight": float8["fc.weight"].t().contiguous().t()}, folder / f"{name}.pt")
        safetensors.torch.save_file(float8, folder / f"{name}.safetensors")

    print(
        f"Python {sys.version.split()[0]}, NumPy {numpy.__version__}, joblib {joblib.__version__}, "
        f"PyTorch {torch.__version__}, safetensors {safetensors.__version__}"
    )
    for path in sorted(folder.glob("*.*")):
        if path.name != "README.md":
            digest = hashlib.sha256(path.read_bytes()).hexdigest()
            print(f"| `{path.name}` | {path.stat().st_size} | `{digest}` |")


if __name__ == "__main__":
    main(pathlib.Path(sys.argv[1]) if len(sys.argv) > 1 else FOLDER)
