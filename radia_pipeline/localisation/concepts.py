"""Deep Feature Factorization: what a network tells apart on several films, whatever the class. A picture to explore by.

Concepts depend on the films that are looked at together and belong to no class, so nothing is decided by them. Not
here: saliency of classes (``maps``).

Shape legend: N images, F features, J concepts, h x w positions.
"""

from __future__ import annotations

import warnings

import numpy as np

CONCEPTS = 4
MOST_ROUNDS = 400


def concepts(features: np.ndarray, count: int = CONCEPTS) -> np.ndarray:
    """Collins 2018: the features (N, F, h, w) of all positions of all films as a product of ``count`` concepts.

    Returns how much of each concept a position holds, (N, J, h, w), each concept's highest 1, those that explain most
    first. By scikit-learn's non-negative factorization from a start that is no draw. What is negative in the features,
    as of networks without a last ReLU, counts as nought. Films that show fewer concepts than asked for have empty ones.
    """
    from sklearn.decomposition import NMF
    from sklearn.exceptions import ConvergenceWarning

    count_of_films, depth, height, width = features.shape
    rows = np.clip(features, 0, None).transpose(0, 2, 3, 1).reshape(-1, depth).astype(np.float64)
    model = NMF(count, init="nndsvda", max_iter=MOST_ROUNDS, tol=1e-4)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # a picture to explore by may stop early
        held = model.fit_transform(rows)
    explained = held.sum(axis=0) * model.components_.sum(axis=1)
    held = held[:, np.argsort(-explained, kind="stable")]
    held = held / np.maximum(held.max(axis=0), 1e-12)
    return held.reshape(count_of_films, height, width, count).transpose(0, 3, 1, 2).astype(np.float32)
