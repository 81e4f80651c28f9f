"""A recipe's model, or an ensemble with its members, as MLflow's ``pyfunc`` loads it: pictures in, numbers out.

The folder holds a model's own files, or ``ensemble.json`` (the table's rows) and a folder for each member; all of it
safetensors and JSON. MLflow itself is not needed to use it. Not here: what MLflow is told (``tracking.flavour``).
"""

from __future__ import annotations

import base64
import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np

from radia_pipeline.contracts.vocabulary import vocabulary
from radia_pipeline.errors import BadInput
from radia_pipeline.evaluation.ensemble import Ensemble, ensemble_of
from radia_pipeline.tracking.flavour import PICTURES
from radia_pipeline.training.choices import VIEWS
from radia_pipeline.training.inputs import prepare

if TYPE_CHECKING:
    import pandas as pd

    from radia_pipeline.training.models import Classifier

ROWS, MEMBERS = "ensemble.json", "members"


class Loaded:
    """Ready to answer. ``ensemble`` is None for a single model."""

    def __init__(self, members: Mapping[str, Classifier], ensemble: Ensemble | None) -> None:
        self.members, self.ensemble = members, ensemble

    def predict(self, model_input: pd.DataFrame) -> pd.DataFrame:
        """Columns ``frontal`` and, where there is one, ``lateral``: 8- or 16-bit grey PNG, as bytes or in base64, one
        row a study -> a column of probabilities a class; empty where the model reads no view that is there.

        Raises BadInput for what is no such picture.
        """
        import pandas as pd

        studies = [[_picture(row.get(name)) for name in PICTURES] for row in model_input.to_dict("records")]
        said = {name: np.stack([_answer(net, study) for study in studies]) for name, net in self.members.items()}
        if self.ensemble is None:
            (found,) = said.values()
        else:
            found = self.ensemble.predict(said)[1]
        return pd.DataFrame(found, columns=list(vocabulary().classes), index=model_input.index)


def _load_pyfunc(path: str) -> Loaded:
    """Load the model of a folder; MLflow calls this by name. Raises NotTrained, DamagedFile, VocabularyMismatch."""
    from radia_pipeline.training.inference import load_classifier

    folder = Path(path)
    if not (folder / ROWS).is_file():
        return Loaded({"model": load_classifier(folder)}, None)
    ensemble = ensemble_of(json.loads((folder / ROWS).read_text(encoding="utf-8")))
    return Loaded({name: load_classifier(folder / MEMBERS / name) for name in ensemble.used_members}, ensemble)


def gather(folder: Path, rows: list[dict[str, Any]], models: Mapping[str, Path]) -> None:
    """Lay an ensemble's rows and its members' files (member -> its model's folder) into a folder."""
    (folder / ROWS).write_text(json.dumps(rows), encoding="utf-8")
    for name, model in models.items():
        home = folder / MEMBERS / name
        home.mkdir(parents=True)
        for file in ("model.safetensors", "model.json"):
            shutil.copy(model / file, home)


def _picture(given: Any) -> np.ndarray | None:
    """Return a picture (H, W), None where there is none."""
    if given is None or (isinstance(given, float) and np.isnan(given)):
        return None
    try:
        content = base64.b64decode(given, validate=True) if isinstance(given, str) else bytes(given)
        found = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_UNCHANGED)
    except (ValueError, TypeError, cv2.error):
        found = None
    if found is None or found.ndim != 2:
        raise BadInput("A picture of a study cannot be read", accepted="8- or 16-bit grey PNG, as bytes or in base64")
    return found


def _answer(net: Classifier, study: list[np.ndarray | None]) -> np.ndarray:
    """Return a study's probabilities (21,), NaN where the model reads none of its views."""
    import torch

    frontal, lateral = ([slot] if view is not None else [] for slot, view in enumerate(study))
    chosen = VIEWS[net.views.use](frontal, lateral, net.views.max_views)
    if all(slot is None for slot in chosen):
        return np.full(len(net.class_names), np.nan)
    side = net.input.size_px
    images = np.zeros((1, len(chosen), net.input.channel_count, side, side), dtype=np.float32)
    for place, slot in enumerate(chosen):
        if slot is not None:
            images[0, place] = prepare(study[slot], net.input)
    present = torch.tensor([[slot is not None for slot in chosen]])
    with torch.no_grad():
        return net.probabilities(net(torch.from_numpy(images), present))[0].numpy()
