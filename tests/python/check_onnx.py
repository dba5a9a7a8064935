"""Runs exported networks with ONNX Runtime and compares their outputs with Selvedge's.

FOLDER holds manifest.json and, for every network in it, NAME.onnx, NAME.images and NAME.outputs:
the images that Selvedge was given and its outputs, as little-endian floats. `cargo test --test onnx`
writes them. Needs numpy, onnx and onnxruntime.
"""

import argparse
import json
import platform
import sys
from pathlib import Path

import numpy
import onnx
import onnxruntime

# Relative to the largest output.
TOLERANCE = 1e-5


def floats(path, shape):
    return numpy.fromfile(path, dtype="<f4").reshape(shape)


def check(folder, case):
    """The largest error over a batch and over its first image alone."""
    path = folder / f"{case['name']}.onnx"
    # Infers the shapes anew, and fails if they are not those that the file states.
    onnx.checker.check_model(str(path), full_check=True)
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    (inputs,), (outputs,) = session.get_inputs(), session.get_outputs()
    assert inputs.name == "images", inputs.name
    assert inputs.shape == ["batch", *case["input"][1:]], inputs.shape
    assert outputs.shape == ["batch", *case["output"][1:]], outputs.shape

    images = floats(folder / f"{case['name']}.images", case["input"])
    expected = floats(folder / f"{case['name']}.outputs", case["output"])
    scale = numpy.abs(expected).max()
    assert scale > 0, "all outputs are 0"
    errors = []
    for batch in (len(images), 1):
        (found,) = session.run([outputs.name], {"images": images[:batch]})
        assert found.shape == expected[:batch].shape, found.shape
        errors.append(float(numpy.abs(found - expected[:batch]).max() / scale))
    error = max(errors)
    # Written so that NaN fails.
    assert error <= TOLERANCE, f"off by {error:.1e}"
    return error


def short(error):
    """Two digits, as `{:.1e}` prints them in Rust: 3.2e-7."""
    return f"{error:.1e}".replace("e-0", "e-").replace("e+0", "e")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, metavar="FOLDER")
    parser.add_argument("--record", type=Path, metavar="FILE", help="write what was checked there")
    args = parser.parse_args()

    cases = json.loads((args.folder / "manifest.json").read_text())
    networks, failures = {}, 0
    print("| network | image | largest error |\n|---|---|---|")
    for case in cases:
        image = " × ".join(str(n) for n in case["input"][1:])
        try:
            error = check(args.folder, case)
        except Exception as failure:
            failures += 1
            print(f"| `{case['name']}` | {image} | FAILED: {failure} |")
            continue
        print(f"| `{case['name']}` | {image} | {short(error)} |")
        networks[case["name"]] = {
            "input": case["input"],
            "graph_sha256": case["graph_sha256"],
            "error": float(short(error)),
        }
    if failures:
        sys.exit(f"{failures} of {len(cases)} networks failed")
    if args.record:
        record = {
            "versions": {
                "python": platform.python_version(),
                "numpy": numpy.__version__,
                "onnx": onnx.__version__,
                "onnxruntime": onnxruntime.__version__,
            },
            "tolerance": TOLERANCE,
            "networks": networks,
        }
        args.record.write_text(json.dumps(record, indent=2) + "\n")


if __name__ == "__main__":
    main()
