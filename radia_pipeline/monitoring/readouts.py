"""The table ``film_readouts``: what chosen films are like and what the models in use say of each of them alone.

A film is looked at once for each version of the models and never again. Films of the test pool are never shown to a
model here. Not here: which films are chosen (``observed``), what is made of the figures (``report``).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Mapping, Sequence
from typing import Any

import numpy as np

from radia_pipeline.dicom import png16
from radia_pipeline.errors import MissingTable, NotTrained
from radia_pipeline.evaluation.answering import Answering, answering
from radia_pipeline.lake.lake import Lake
from radia_pipeline.monitoring.pixel_figures import pixel_figures
from radia_pipeline.training.inputs import letterbox

TABLE = "film_readouts"
FEATURES = 4
_CHARACTERS = 16


def models_in_use(lake: Lake) -> Answering | None:
    """Return what the lake answers with, None before there is something."""
    try:
        return answering(lake)
    except (NotTrained, MissingTable):
        return None


def model_version(ready: Answering | None) -> str | None:
    """Return what names the models in use and their combination; None without them."""
    return None if ready is None else named(ready.using.ensemble_version, ready.fingerprints)


def named(ensemble_version: str, fingerprints: Mapping[str, str]) -> str:
    """Return what names models (recipe → fingerprint) and their combination."""
    told = json.dumps([ensemble_version, sorted(fingerprints.items())])
    return hashlib.sha256(told.encode()).hexdigest()[:_CHARACTERS]


def read_out(
    lake: Lake, source: str, films: Sequence[Mapping[str, Any]], shown: Collection[str], ready: Answering | None
) -> dict[str, dict[str, Any]]:
    """Return image_id -> readout of these rows of ``images``, looking at those that are not known yet; publish them.

    ``shown``: ids of images that may be shown to the models; those of the test pool never belong to it.
    """
    model = model_version(ready)
    before = lake.last_sound(TABLE, source)
    known = {row["image_id"]: row for row in before.to_pylist()} if before is not None else {}
    standing = set(lake.read("images", source, ["image_id"])["image_id"].to_pylist())
    kept = {name: row for name, row in known.items() if name in standing}
    for film in films:
        old = kept.get(film["image_id"])
        is_shown = model is not None and film["image_id"] in shown
        if old is None or (is_shown and old["model"] != model):
            kept[film["image_id"]] = _readout(lake, film, ready if is_shown else None, model if is_shown else None)
    lake.write(TABLE, list(kept.values()), source)
    return {film["image_id"]: kept[film["image_id"]] for film in films}


def _readout(lake: Lake, film: Mapping[str, Any], ready: Answering | None, model: str | None) -> dict[str, Any]:
    image = png16.decode((lake.root / film["path"]).read_bytes())
    found: dict[str, Any] = {name: film[name] for name in ("source", "image_id", "study_id", "patient_key")}
    found |= pixel_figures(image) | {"model": model, "features": [], "probabilities": []}
    if ready is None:
        return found
    seen = {name: one.look(letterbox(image, one.input.size_px)) for name, one in ready.models.items()}
    distances = {name: ready.gaussians[name].distance(one.features)[0] for name, one in seen.items()}
    single = {name: ready.models[name].probabilities(one.logits[None])[None] for name, one in seen.items()}
    probability = np.clip(ready.ensemble.predict(single)[1][0], 1e-9, 1 - 1e-9)
    entropy = -(probability * np.log2(probability) + (1 - probability) * np.log2(1 - probability))
    first = sorted(seen)[0]
    return found | {
        "familiarity": ready.threshold.score(distances),
        "features": ready.gaussians[first].components(seen[first].features, FEATURES).tolist(),
        "entropy": float(entropy.mean()),
        "probabilities": probability.tolist(),
    }
