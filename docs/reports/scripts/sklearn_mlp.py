"""scikit-learn's multilayer perceptron by the protocol of report E, for the four-column table.

    python docs/reports/scripts/sklearn_mlp.py datasets/fashion-mnist > docs/reports/data/sklearn_mlp.csv

SGD without momentum, batches of 32, 784-256-128-64-10; 80:10:10 of the 60,000 training images, of which the last
tenth tests. Pixels have mean 0 and standard deviation 1 over the training images. The learning rate is 0.1; identity,
which diverges there, runs at 0.001 as well. A run that diverges has `nan` for what it did not reach, and the epoch.
"""

import argparse
import gzip
import math
import multiprocessing
import os
import pathlib
import platform
import warnings

# A run is one thread; the runs are side by side. (Read when numpy is imported.)
for library in ["OMP", "OPENBLAS", "MKL"]:
    os.environ[library + "_NUM_THREADS"] = "1"

import numpy
import sklearn
from sklearn.neural_network import MLPClassifier

RUNS = [("relu", 0.1), ("logistic", 0.1), ("tanh", 0.1), ("identity", 0.1), ("identity", 0.001)]
CLASSES = numpy.arange(10)


def read(folder, name, header):
    path = next(path for path in sorted(folder.glob("**/" + name + "*")))
    with (gzip.open(path) if path.suffix == ".gz" else open(path, "rb")) as file:
        return numpy.frombuffer(file.read(), numpy.uint8)[header:]


def split(folder, seed):
    """Training and test images (float32, normalized) and labels of one seed."""
    images = read(folder, "train-images-idx3-ubyte", 16).reshape(60000, 784).astype(numpy.float32)
    labels = read(folder, "train-labels-idx1-ubyte", 8)
    order = numpy.random.default_rng(seed).permutation(60000)
    train, test = order[:48000], order[54000:]
    images = (images - images[train].mean()) / images[train].std()
    return images[train], labels[train], images[test], labels[test]


def run(job):
    """The lines of one run, one for each number of epochs at which it is looked at."""
    folder, seed, activation, rate, looks = job
    x, y, test_x, test_y = split(folder, seed)
    network = MLPClassifier(
        (256, 128, 64), activation=activation, solver="sgd", learning_rate_init=rate, momentum=0.0,
        batch_size=32, alpha=0.0,
        # A generator, not a number: `partial_fit` would start from a number again, and shuffle alike in each epoch.
        random_state=numpy.random.RandomState(seed),
    )
    lines, diverged = [], ""
    for epoch in range(1, max(looks) + 1):
        if not diverged:
            try:
                network.partial_fit(x, y, classes=CLASSES)  # one epoch, shuffled
                if not math.isfinite(network.loss_):
                    diverged = epoch
            except ValueError as error:  # how scikit-learn says that weights are not finite
                if "non-finite" not in str(error):
                    raise
                diverged = epoch
        if epoch in looks:
            accuracy = math.nan if diverged else network.score(test_x, test_y)
            loss = math.nan if diverged else network.loss_
            lines.append(f"{activation},{rate},{epoch},{seed},{accuracy:.4f},{loss:.4f},{diverged}")
    return lines


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=pathlib.Path, help="folder of Fashion-MNIST's IDX files")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--epochs", type=int, nargs="+", default=[50, 100], help="where the runs are looked at")
    parser.add_argument("--jobs", type=int, default=os.cpu_count())
    given = parser.parse_args()
    jobs = [
        (given.folder, seed, activation, rate, given.epochs)
        for seed in range(given.seeds) for activation, rate in RUNS
    ]
    versions = f"scikit-learn {sklearn.__version__}, numpy {numpy.__version__}, Python {platform.python_version()}"
    print(f"# {versions}; mean loss of the last epoch's training images", flush=True)
    print("activation,learning_rate,epochs,seed,test_accuracy,final_loss,diverged_in_epoch", flush=True)
    with multiprocessing.Pool(given.jobs) as pool:
        for lines in pool.imap(run, jobs, chunksize=1):
            print("\n".join(lines), flush=True)


if __name__ == "__main__":
    main()
