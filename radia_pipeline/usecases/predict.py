"""``radia predict``: delivered images -> the ensemble's probabilities. Nothing is stored and no identity is read."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from radia_pipeline.contracts.vocabulary import vocabulary
from radia_pipeline.drawing.text import table
from radia_pipeline.errors import BadInput, MissingTable, NotTrained
from radia_pipeline.lake.lake import Lake

STORED_SIDE_PX = 1024  # the ingest's default: the models were trained on images of this size


def predict_files(lake: Lake, paths: Sequence[Path]) -> dict[str, Any]:
    """Return, for each file, calibrated probabilities of all classes and which are called at the ensemble's thresholds.

    Every file is read as a study of one view. Raises NotTrained before there is an ensemble, BadInput or DamagedFile
    for what cannot be read.
    """
    import numpy as np

    from radia_pipeline.dicom.render import render_native, stored_image
    from radia_pipeline.evaluation.ensemble import load_ensemble
    from radia_pipeline.training.inference import latest_model, predict_images

    try:
        ensemble = load_ensemble(lake)
    except MissingTable:
        raise NotTrained("This lake has no ensemble yet", do="train it with `radia run` or `radia demo`") from None
    images = []
    for path in paths:
        if not path.is_file():
            raise BadInput(f"There is no file {path}", accepted="DICOM, PNG or JPEG files")
        images.append(stored_image(render_native(path).astype(np.float32), STORED_SIDE_PX))
    names = vocabulary().classes
    outputs = {}
    for member in ensemble.used_members:
        answers = predict_images(latest_model(lake, member), images)
        outputs[member] = np.array([[answer[name] for name in names] for answer in answers])
    _, probability = ensemble.predict(outputs)
    calls = probability >= np.nan_to_num(ensemble.thresholds, nan=0.5)
    return {
        "model": "ensemble",
        "rule": ensemble.rule,
        "members": list(ensemble.used_members),
        "images": [
            {
                "file": str(path),
                "probabilities": {name: round(float(p), 4) for name, p in zip(names, row, strict=True)},
                "called": [name for name, is_called in zip(names, called, strict=True) if is_called],
            }
            for path, row, called in zip(paths, probability, calls, strict=True)
        ],
    }


def as_text(answer: dict[str, Any]) -> str:
    """Return the answer as one table for each image, likeliest class first; a dot marks what is called."""
    parts = [f"Model: {answer['model']} ({answer['rule']} of {', '.join(answer['members'])})"]
    for image in answer["images"]:
        ordered = sorted(image["probabilities"].items(), key=lambda item: -item[1])
        rows = [["●" if name in image["called"] else "", name, probability] for name, probability in ordered]
        parts.append(f"{image['file']}\n" + table(["", "class", "probability"], rows))
    return "\n\n".join(parts)
