#!/usr/bin/env python3
"""Writes ../../crates/train/tests/data/features.json: what scikit-learn computes for the features of
../../crates/train/src/features/map_tests.rs, 60 images of 7 features in three groups.

Feature d of image i is u(2 + i mod 3, d) + u(1, 7 i + d) / 2 as a float32, with make_parity_networks.py's u(t, j) =
(31 j^2 + 7 j + 1009 t) mod 10007 / 10006.  t-SNE: the joint probabilities, the divergence and its gradient at a start
that is 0.01 times the first two features, 30 steps of gradient descent from it with the settings of early exaggeration,
and the divergence that is left after a whole fit.

Needs scikit-learn 1.9.
"""
import json, os
import numpy as np
from sklearn.decomposition import PCA
from sklearn.manifold import TSNE
from sklearn.manifold._t_sne import _gradient_descent, _joint_probabilities, _kl_divergence
from sklearn.neighbors import NearestNeighbors
from scipy.spatial.distance import pdist, squareform

N, D, PERPLEXITY = 60, 7, 12.0


def u(t, j):
    return ((31 * j * j + 7 * j + 1009 * t) % 10007) / 10006


def digits(x):
    return [float(f"{v:.9g}") for v in np.asarray(x, dtype=np.float64).reshape(-1)]


if __name__ == "__main__":
    x = np.array([[u(2 + i % 3, d) + u(1, D * i + d) / 2 for d in range(D)] for i in range(N)], dtype=np.float32)
    x = x.astype(np.float64)
    pca = PCA(4, svd_solver="full").fit(x)
    p = _joint_probabilities(squareform(pdist(x, "sqeuclidean")), PERPLEXITY, 0)
    start = 0.01 * x[:, :2]
    divergence, gradient = _kl_divergence(start.ravel(), p, 1, N, 2)
    # As TSNE._tsne calls it, without a reason to end early.
    steps, _, _ = _gradient_descent(
        _kl_divergence, start.ravel(), 0, 30, n_iter_check=1000, momentum=0.5, learning_rate=5.0, min_grad_norm=0,
        n_iter_without_progress=1000, args=[12 * p, 1, N, 2], kwargs={"skip_num_points": 0},
    )
    whole = TSNE(perplexity=PERPLEXITY, init="pca", method="exact", learning_rate=5.0).fit(x)
    nearest = {}
    for metric in ["cosine", "euclidean"]:
        distances, positions = NearestNeighbors(n_neighbors=4, metric=metric).fit(x[10:]).kneighbors(x[:10])
        nearest[metric] = {"positions": positions.reshape(-1).tolist(), "distances": digits(distances)}
    result = {
        "mean": digits(pca.mean_),
        "components": digits(pca.components_),
        "variances": digits(pca.explained_variance_),
        "ratios": digits(pca.explained_variance_ratio_),
        "projected": digits(pca.transform(x)),
        "probabilities": digits(squareform(p)),
        "divergence": float(divergence),
        "gradient": digits(gradient),
        "steps": digits(steps),
        "whole_divergence": float(whole.kl_divergence_),
        "nearest": nearest,
    }
    print(pca.explained_variance_, divergence, whole.kl_divergence_)
    path = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../crates/train/tests/data/features.json")
    with open(path, "w") as file:
        json.dump(result, file, separators=(",", ":"))
        file.write("\n")
