"""scikit-learn's multilayer perceptron by the protocol of report E, for the four-column table.

    python docs/reports/scripts/sklearn_mlp.py datasets/fashion-mnist [SEEDS] > docs/reports/data/sklearn_mlp.csv

SGD without momentum at 0.1, batches of 32, 784-256-128-64-10; 80:10:10 of the 60,000 training images, of which the last
tenth tests. Pixels have mean 0 and standard deviation 1 over the training images.
"""

import gzip
import pathlib
import sys
import warnings

import numpy
from sklearn.neural_network import MLPClassifier


def read(path, header):
    opened = gzip.open(path) if path.suffix == ".gz" else open(path, "rb")
    with opened as file:
        return numpy.frombuffer(file.read(), numpy.uint8)[header:]


def main():
    folder = pathlib.Path(sys.argv[1])
    seeds = range(int(sys.argv[2]) if len(sys.argv) > 2 else 3)
    find = lambda name: next(path for path in sorted(folder.glob(name + "*")))
    images = read(find("train-images-idx3-ubyte"), 16).reshape(60000, 784).astype(numpy.float32)
    labels = read(find("train-labels-idx1-ubyte"), 8)
    print("activation,epochs,seed,test_accuracy,final_loss")
    for seed in seeds:
        order = numpy.random.default_rng(seed).permutation(60000)
        train, test = order[:48000], order[54000:]
        mean, deviation = images[train].mean(), images[train].std()
        x = (images - mean) / deviation
        for activation in ["relu", "logistic", "tanh", "identity"]:
            rate = 0.001 if activation == "identity" else 0.1
            network = MLPClassifier(
                (256, 128, 64), activation=activation, solver="sgd", learning_rate_init=rate, momentum=0.0,
                batch_size=32, alpha=0.0, max_iter=1, warm_start=True, random_state=seed,
            )
            for epoch in range(1, 101):
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore")
                    network.fit(x[train], labels[train])
                if epoch in (50, 100):
                    accuracy = network.score(x[test], labels[test])
                    print(f"{activation},{epoch},{seed},{accuracy:.4f},{network.loss_:.4f}", flush=True)


main()
