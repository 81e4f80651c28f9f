"""``radia predict``: delivered images -> the ensemble's probabilities. Nothing is stored and no identity is read."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from radia_pipeline.contracts.vocabulary import vocabulary
from radia_pipeline.drawing.text import table
from radia_pipeline.errors import BadInput, MissingTable, NotTrained, Refusal
from radia_pipeline.lake.lake import Lake
from radia_pipeline.privacy import reasons

if TYPE_CHECKING:
    import numpy as np

STORED_SIDE_PX = 1024  # the ingest's default: the models were trained on images of this size


def predict_files(
    lake: Lake, paths: Sequence[Path], *, source: str = "ccsmtl", identified: bool = False
) -> dict[str, Any]:
    """Return, for each file, calibrated probabilities of all classes and which are called at the ensemble's thresholds.

    Every file is read as a study of one view, and judged as the ingest judges it, by the policy of ``source``.
    ``identified``: files straight from a PACS; their headers are not judged, nothing of them is kept or echoed, their
    names included, and what is no chest is refused. Raises NotTrained before there is an ensemble, BadInput for what
    cannot be read, Refusal for what is not let in.
    """
    import numpy as np

    from radia_pipeline.dicom.delivered import read_whole
    from radia_pipeline.evaluation.ensemble import load_ensemble
    from radia_pipeline.training.inference import latest_model, predict_images

    try:
        ensemble = load_ensemble(lake)
    except MissingTable:
        raise NotTrained("This lake has no ensemble yet", do="train it with `radia run` or `radia demo`") from None
    images = []
    for path in paths:
        if not path.is_file():
            raise BadInput(
                "There is no such file" if identified else f"There is no file {path}",
                accepted="DICOM, PNG or JPEG files",
            )
        images.append(_stored(read_whole(path)[0], source, identified=identified))
    names = vocabulary().classes
    outputs = {}
    for member in ensemble.used_members:
        answers = predict_images(latest_model(lake, member), images)
        outputs[member] = np.array([[answer[name] for name in names] for answer in answers])
    _, probability = ensemble.predict(outputs)
    calls = probability >= ensemble.cuts
    return {
        "model": "ensemble",
        "rule": ensemble.rule,
        "members": list(ensemble.used_members),
        "images": [
            {
                "file": f"image {number}" if identified else str(path),
                "probabilities": {name: round(float(p), 4) for name, p in zip(names, row, strict=True)},
                "called": [name for name, is_called in zip(names, called, strict=True) if is_called],
            }
            for number, (path, row, called) in enumerate(zip(paths, probability, calls, strict=True), 1)
        ],
    }


def _stored(data: bytes, source: str, *, identified: bool) -> np.ndarray:
    """Return the picture of a file's bytes as the lake would store it: uint16 (H, W)."""
    from radia_pipeline.dicom import facts, render
    from radia_pipeline.dicom.admission import Intake, admit
    from radia_pipeline.dicom.pixel_checks import NOT_A_CHEST, remarks
    from radia_pipeline.privacy.policy import policy_of

    admitted = admit(data, Intake(policy_of(source), is_identified=identified, takes_rasters=True))
    if admitted.parsed is None:
        picture, part = render.picture_of_raster(data, admitted.kind), ""
    else:
        picture = render.picture_of_dicom(admitted.parsed, admitted.facts)
        part = facts.text(admitted.parsed.dataset, "BodyPartExamined")
    image = render.stored_image(picture.shown, STORED_SIDE_PX)
    if identified and NOT_A_CHEST in remarks(image, body_part=part).flags:
        raise Refusal(reasons.NOT_A_RADIOGRAPH, "no chest by its pixels or its body part")
    return image


def as_text(answer: dict[str, Any]) -> str:
    """Return the answer as one table for each image, likeliest class first; a dot marks what is called."""
    parts = [f"Model: {answer['model']} ({answer['rule']} of {', '.join(answer['members'])})"]
    for image in answer["images"]:
        ordered = sorted(image["probabilities"].items(), key=lambda item: -item[1])
        rows = [["●" if name in image["called"] else "", name, probability] for name, probability in ordered]
        parts.append(f"{image['file']}\n" + table(["", "class", "probability"], rows))
    return "\n\n".join(parts)
