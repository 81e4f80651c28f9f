"""How far a film lies from those that the models learned from: beyond a threshold a prediction keeps silent.

For each model a Gaussian of its features on the training pool: a centre for each kind of film (frontal or lateral, and
of the frontal ones each class's positives), one covariance (Ledoit and Wolf 2004), and the nearest centre counts.
Several models give the geometric mean of their distances, each over its median on films that none of the Gaussians was
fitted on. The threshold is a quantile there. Beside it lies what ``evaluation.sides`` has learned from the same films.

Numbers only, no film and no identity: the folder ``familiarity`` beside a model, and one file for each set of models
that answers together. Made when an ensemble is, or at first need; nothing of a model's identity depends on it.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from radia_pipeline.evaluation.sides import Sides
from radia_pipeline.lake import atomic

FAMILIARITY_VERSION = 2
QUANTILE = 0.995
MIN_OF_A_KIND = 25
"""Films from which a kind gets a centre of its own."""
MOST_DIMENSIONS = 256
"""Of the features, by principal components; what they leave out counts as one dimension more."""
_EPSILON = 1e-6


@dataclass(frozen=True)
class Gaussian:
    """One model's picture of its films: ``centre``, ``scale`` (D,), ``axes`` (D, k), ``means`` (G, k + 1) and
    ``precision`` (k + 1, k + 1); the last dimension is the logarithm of what the axes leave out."""

    centre: np.ndarray
    scale: np.ndarray
    axes: np.ndarray
    means: np.ndarray
    precision: np.ndarray

    def distance(self, features: np.ndarray) -> np.ndarray:
        """Return the Mahalanobis distance (n,) of features (n, D) to the nearest centre."""
        seen = self._projected(features)
        steps = seen[:, None, :] - self.means[None]
        return np.sqrt(np.maximum(np.einsum("ngi,ij,ngj->ng", steps, self.precision, steps), 0.0).min(axis=1))

    def components(self, features: np.ndarray, count: int) -> np.ndarray:
        """Return the first components of features (D,): at most ``count``, in the order of what they explain."""
        return self._projected(features)[0, : min(count, self.axes.shape[1])]

    def _projected(self, features: np.ndarray) -> np.ndarray:
        return _projected(features, self.centre, self.scale, self.axes)


def _projected(features: np.ndarray, centre: np.ndarray, scale: np.ndarray, axes: np.ndarray) -> np.ndarray:
    scaled = (np.atleast_2d(features) - centre) / scale
    inside = scaled @ axes
    left_out = np.sqrt(np.maximum(np.square(scaled).sum(axis=1) - np.square(inside).sum(axis=1), 0.0))
    return np.concatenate([inside, np.log(left_out + 1e-3)[:, None]], axis=1)


def fit_gaussian(features: np.ndarray, kinds: Sequence[np.ndarray]) -> Gaussian:
    """Fit on features (n, D); ``kinds`` are masks (n,), and those with too few films get no centre.

    Every film counts to the covariance once, around the centre of the first kind that holds it.
    """
    from sklearn.covariance import LedoitWolf
    from sklearn.decomposition import PCA

    centre, scale = features.mean(axis=0), features.std(axis=0) + _EPSILON
    scaled = (features - centre) / scale
    count = min(MOST_DIMENSIONS, len(features) - 1, features.shape[1])
    axes = PCA(n_components=count, svd_solver="full").fit(scaled).components_.T
    seen = _projected(features, centre, scale, axes)
    chosen = [mask for mask in kinds if mask.sum() >= MIN_OF_A_KIND] or [np.ones(len(features), dtype=bool)]
    means = np.stack([seen[mask].mean(axis=0) for mask in chosen])
    owner = np.zeros(len(features), dtype=int)
    for number, mask in reversed(list(enumerate(chosen))):
        owner[mask] = number
    precision = LedoitWolf(assume_centered=True).fit(seen - means[owner]).precision_
    return Gaussian(centre, scale, axes, means, precision)


@dataclass(frozen=True)
class Threshold:
    """What a set of models takes for unfamiliar. ``medians``: of each model's distance on ``films`` films of the lake's
    own patients, which no Gaussian was fitted on; where validation has few, some of them are of the training pool, and
    the models know those.

    ``false_alarms`` with ``low`` and ``high`` (95 %): share of these very films beyond the threshold that the other
    half of them gives: what is expected of further films like them, not what was seen on others.
    """

    medians: Mapping[str, float]
    log_threshold: float
    films: int
    false_alarms: float
    low: float
    high: float
    sides: Sides = field(default_factory=Sides)

    def score(self, distances: Mapping[str, float]) -> float:
        """Return how far a film lies, 1 at the threshold."""
        return math.exp(combined(distances, self.medians) - self.log_threshold)


def combined(distances: Mapping[str, Any], medians: Mapping[str, float]) -> Any:
    """Return the mean of the models' log distances, each over its median."""
    return sum(np.log(np.maximum(distances[name], _EPSILON) / medians[name]) for name in medians) / len(medians)


def fit_threshold(distances: Mapping[str, np.ndarray], groups: Sequence[str], sides: Sides | None = None) -> Threshold:
    """Fit on distances {model: (n,)} of films that no Gaussian was fitted on, of patients ``groups`` (n,).

    ``sides`` is kept with it.
    """
    from radia_pipeline.evaluation.intervals import wilson

    medians = {name: float(np.median(values)) for name, values in distances.items()}
    scores = combined(distances, medians)
    half = np.array([hashlib.sha256(group.encode()).digest()[0] % 2 == 0 for group in groups])
    beyond = np.zeros(len(scores), dtype=bool)
    for part in (half, ~half):
        if part.sum() > 1 and (~part).sum() > 1:
            beyond[part] = scores[part] > quantile_of(scores[~part])
    share = float(beyond.mean())
    low, high = wilson(share, len(set(groups)))
    return Threshold(medians, quantile_of(scores), len(scores), share, low, high, sides or Sides())


def quantile_of(scores: np.ndarray) -> float:
    """Return the threshold that a share ``QUANTILE`` of further films stays below.

    The order statistic where there are enough films; few ones say little of their own tail, so that there the
    prediction limit of a normal distribution of the scores, which are logarithms, counts where it is higher.
    """
    from scipy import stats

    count = len(scores)
    place = math.ceil((count + 1) * QUANTILE)
    ordered = float(np.sort(scores)[min(place, count) - 1])
    if place <= count and count >= 1000:
        return ordered
    if count < 2:
        return ordered + math.log(2.0)
    reach = stats.t.ppf(QUANTILE, count - 1) * math.sqrt(1 + 1 / count)
    return max(ordered, float(scores.mean() + reach * scores.std(ddof=1)))


# --- files -----------------------------------------------------------------------------------------------------------
FOLDER, NUMBERS, CARD = "familiarity", "gaussian.safetensors", "familiarity.json"


def save_gaussian(model_dir: Path, gaussian: Gaussian, facts: Mapping[str, Any]) -> None:
    """Write a model's Gaussian beside it: the numbers, then the card."""
    from safetensors.numpy import save

    folder = model_dir / FOLDER
    folder.mkdir(exist_ok=True)
    atomic.write_bytes(folder / NUMBERS, save({name: np.ascontiguousarray(v) for name, v in vars(gaussian).items()}))
    atomic.write_text(folder / CARD, json.dumps({"familiarity_version": FAMILIARITY_VERSION, **facts}, indent=1) + "\n")


def load_gaussian(model_dir: Path) -> Gaussian | None:
    """Return a model's Gaussian, None where there is none of this version."""
    from safetensors import SafetensorError
    from safetensors.numpy import load

    try:
        card = json.loads((model_dir / FOLDER / CARD).read_text(encoding="utf-8"))
        if card.get("familiarity_version") != FAMILIARITY_VERSION:
            return None
        return Gaussian(**load((model_dir / FOLDER / NUMBERS).read_bytes()))
    except (OSError, ValueError, TypeError, AttributeError, SafetensorError):
        return None


def threshold_path(models_dir: Path, fingerprints: Mapping[str, str]) -> Path:
    """Return where the threshold of a set of models (name -> fingerprint) lies."""
    key = hashlib.sha256(json.dumps(sorted(fingerprints.items())).encode()).hexdigest()[:16]
    return models_dir / "_answers" / f"familiarity-{key}.json"


def save_threshold(path: Path, threshold: Threshold) -> None:
    """Write a threshold whole."""
    _save(path, {**vars(threshold), "sides": vars(threshold.sides)})


def load_threshold(path: Path) -> Threshold | None:
    """Return a threshold, None where there is none of this version."""
    try:
        content = _load(path)
        sides = _sides_of(content.pop("sides"))
        return Threshold(**content, sides=sides)
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None


def sides_path(models_dir: Path, image_ids: Sequence[str]) -> Path:
    """Return where lies what these films tell of their sides."""
    return models_dir / "_answers" / f"sides-{hashlib.sha256(' '.join(image_ids).encode()).hexdigest()[:16]}.json"


def save_sides(path: Path, sides: Sides) -> None:
    """Write what films tell of their sides whole."""
    _save(path, vars(sides))


def load_sides(path: Path) -> Sides | None:
    """Return what films tell of their sides, None where there is nothing of this version."""
    try:
        return _sides_of(_load(path))
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None


def _sides_of(content: Mapping[str, Any]) -> Sides:
    return Sides(**{**content, "weights": tuple(content["weights"])})


def _save(path: Path, content: Mapping[str, Any]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    atomic.write_text(path, json.dumps({"familiarity_version": FAMILIARITY_VERSION, **content}, indent=1) + "\n")


def _load(path: Path) -> dict[str, Any]:
    """Return what was saved; raises ValueError where another version wrote it."""
    content = json.loads(path.read_text(encoding="utf-8"))
    if content.pop("familiarity_version") != FAMILIARITY_VERSION:
        raise ValueError("another version")
    return content
