"""How many mirrored films are told, at how many false flags: patients in folds, on real films and on phantoms.

Nothing is kept of real films but the figures. ``--real`` is a folder in the layout of NIH ChestX-ray14.
"""

from __future__ import annotations

import argparse
import json
import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import planted
from PIL import Image
from sklearn.model_selection import GroupKFold

from radia_pipeline.dicom.sides import laid_out, side_features
from radia_pipeline.evaluation import sides
from radia_pipeline.evaluation.intervals import wilson

ROOT = Path(__file__).resolve().parents[1]
RESULT = Path(__file__).parent / "results" / "sides.json"
RATES = (0.005, 0.01, 0.02)


def real_films(folder: Path) -> Iterator[tuple[np.ndarray, str]]:
    """Yield frontal films of an NIH folder with their patients."""
    for path in sorted((folder / "images").rglob("*.png")):
        yield np.asarray(Image.open(path).convert("L")).astype(np.uint16) * 257, path.stem.split("_")[0]


def phantoms(count: int) -> Iterator[tuple[np.ndarray, str]]:
    """Yield films of invented persons."""
    for number in range(count):
        yield (planted.film(70_000 + number, "PA" if number % 3 else "AP") * 65535).astype(np.uint16), str(number)


def measured(films: Iterator[tuple[np.ndarray, str]]) -> dict:
    """Return the share of mirrored films below thresholds that given shares of the others fall below.

    Scores are of films to whose patients the model did not contribute; the threshold of a fold is that of the others.
    """
    features, patients = [], []
    for image, patient in films:
        features.append(side_features(laid_out(image)))
        patients.append(patient)
    features, patients = np.array(features), np.array(patients)
    scores, fold_of = np.empty(len(features)), np.empty(len(features), dtype=int)
    for fold, (learned, others) in enumerate(GroupKFold(5).split(features, groups=patients)):
        scores[others], fold_of[others] = features[others] @ sides.weights_of(features[learned]), fold
    found = {}
    for rate in RATES:
        false, told = np.zeros(len(scores), dtype=bool), np.zeros(len(scores), dtype=bool)
        for fold in range(5):
            threshold = min(0.0, float(np.quantile(scores[fold_of != fold], rate)))
            mine = fold_of == fold
            false[mine], told[mine] = scores[mine] < threshold, -scores[mine] < threshold
        count = len(set(patients))
        found[f"aimed at {rate:.1%} false flags"] = {
            "false flags": round(float(false.mean()), 4),
            "mirrored films told": round(float(told.mean()), 4),
            "95 %": [round(float(value), 3) for value in wilson(float(told.mean()), count)],
        }
    return {"films": len(scores), "patients": len(set(patients)), **found}


def main() -> None:
    """Measure, print, keep."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--real", type=Path, default=ROOT.parent / "shared" / "real" / "nih_cxr14")
    parser.add_argument("--phantoms", type=int, default=300)
    arguments = parser.parse_args()
    found: dict = {"load when begun": round(os.getloadavg()[0], 1)}
    if arguments.real.is_dir():
        found["real films"] = measured(real_films(arguments.real))
        print(json.dumps(found["real films"]), flush=True)
    found["phantoms"] = measured(phantoms(arguments.phantoms))
    RESULT.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    print(json.dumps(found, indent=1))


if __name__ == "__main__":
    main()
