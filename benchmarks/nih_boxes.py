"""Pseudo boxes and saliency methods against NIH's own boxes on real films, with intervals and controls.

``python benchmarks/nih_boxes.py DELIVERY FOLDER [--boxes BBOX_LIST]`` reads a delivery in NIH's layout. Patients who
have a box, and every fifth other, are validation; the demo's classifiers learn from the rest, so that no film with a
box was seen. Boxes are drawn there without labels. The usual places are those of other patients in ``--boxes``, a
longer list of the same publisher; without it that control is left out. What has been trained in FOLDER stays. Prints
and keeps. Not here: phantoms, whose truth is whole (``pseudo_boxes_truth``).
"""

from __future__ import annotations

import argparse
import csv
import gzip
import json
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import cv2
import numpy as np

sys.path.insert(0, str(Path(__file__).parent))

from detector_lake import RECIPES, train_ensemble
from training_lake import key

from radia_pipeline.contracts.pools import TRAIN, VALIDATION
from radia_pipeline.contracts.sheets import source_sheet
from radia_pipeline.contracts.vocabulary import vocabulary
from radia_pipeline.evaluation.differences import mean_auc
from radia_pipeline.evaluation.panel import read_panel
from radia_pipeline.lake.lake import Lake
from radia_pipeline.localisation import controls
from radia_pipeline.localisation.average_precision import MEAN, score_boxes
from radia_pipeline.localisation.benchmark import CANDIDATES, Judged, thoraces_of
from radia_pipeline.localisation.boxes import Boxes
from radia_pipeline.localisation.drawn import Drawn, drawn_pools
from radia_pipeline.localisation.found_shares import sensitivities
from radia_pipeline.localisation.paired import difference
from radia_pipeline.localisation.pseudo import build_pseudo_boxes
from radia_pipeline.sources.label_map import targets_of
from radia_pipeline.sources.registry import source

RESULT = Path(__file__).parent / "results" / "nih_boxes.json"
NAME, HELD_EVERY, FRAME_PX = "nih_cxr14", 5, 1024
IOUS = (0.1, 0.3, 0.5)
RATE = 0.5
"""False boxes an image, of the sensitivity."""


def make_lake(delivery: Path, folder: Path) -> Lake:
    """Write pixels, manifest and drawn boxes of a delivery; labels as its table says them."""
    lake = Lake.open(folder)
    if lake.exists("box_annotations", NAME):
        return lake
    adapter = source(NAME)
    said: dict[str, dict[str, int]] = {}
    for row in adapter.labels(delivery).table.to_pylist():
        said.setdefault(row["native_study_id"], {})[row["class"]] = row["said"]
    drawn = adapter.boxes(delivery).table.to_pylist()
    facts = {one.native_image_id: (path, one) for path, one in adapter.facts(delivery).items()}
    boxed = {facts[row["native_image_id"]][1].native_patient_id for row in drawn if row["native_image_id"] in facts}
    rows, boxes = [], []
    for _, (path, one) in sorted(facts.items()):
        rows.append(_row(lake, delivery / path, one, said.get(one.native_study_id, {}), boxed))
    sizes = {row["image_id"]: (row["width_px"], row["height_px"]) for row in rows}
    for number, row in enumerate(drawn):
        image_id = key(NAME, row["native_image_id"])
        if image_id not in sizes:
            continue
        across, down = (side / FRAME_PX for side in sizes[image_id])
        boxes.append(
            {
                "source": NAME,
                "image_id": image_id,
                "study_id": key(NAME, row["native_study_id"]),
                "box_index": number,
                "class": row["class"],
                "x_px": row["x_px"] * across,
                "y_px": row["y_px"] * down,
                "width_px": row["width_px"] * across,
                "height_px": row["height_px"] * down,
                "reader": "nih",
                "origin": "nih",
            }
        )
    lake.write("manifest", rows, partition=NAME)
    lake.write("box_annotations", boxes, partition=NAME)
    return lake


def _row(lake: Lake, path: Path, one, values: dict[str, int], boxed: set[str]) -> dict[str, Any]:
    grey, patient = cv2.imread(str(path), cv2.IMREAD_GRAYSCALE), key(NAME, one.native_patient_id)
    image_id = key(NAME, one.native_image_id)
    stored = lake.pixels_dir / NAME / image_id[:2] / f"{image_id}.png"
    stored.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(stored), grey.astype(np.uint16) * 257, [cv2.IMWRITE_PNG_COMPRESSION, 1])
    held = one.native_patient_id in boxed or int(patient[:8], 16) % HELD_EVERY == 0
    return {
        "source": NAME,
        "image_id": image_id,
        "study_id": key(NAME, one.native_study_id),
        "patient_key": patient,
        "group_id": patient,
        "path": stored.relative_to(lake.root).as_posix(),
        "view": one.view,
        "width_px": grey.shape[1],
        "height_px": grey.shape[0],
        **{name: values.get(name) for name in vocabulary().classes},
        "pool": VALIDATION if held else TRAIN,
        "fold": None if held else int(patient[8:12], 16) % 5,
        "weight": 1.0,
        "excluded": None,
        "boxes": [],
    }


def usual_places(path: Path, but: set[str]) -> dict[str, controls.PriorBox]:
    """Each class's usual place by a published list of boxes, the films of ``but`` (file names) left out."""
    tokens, rows = source_sheet(NAME).label_map, []
    with gzip.open(path, "rt", encoding="utf-8") if path.suffix == ".gz" else path.open(encoding="utf-8") as lines:
        for name, token, x, y, w, h, *_ in list(csv.reader(lines))[1:]:
            corners = (float(x), float(y), float(x) + float(w), float(y) + float(h))
            targets = targets_of(tokens.get(token)) if name not in but else []
            rows += [(name, target, corners, 1.0) for target, _ in targets]
    return controls.prior_boxes(Boxes.of(rows), dict.fromkeys((name for name, *_ in rows), (FRAME_PX, FRAME_PX)))


def figures(boxes: Boxes, drawn: Drawn) -> dict[str, Any]:
    """Mean AP over classes, class-agnostic AP, and what few false boxes find; value, low, high."""
    told: dict[str, Any] = {}
    for row in score_boxes(boxes, drawn.reference, levels=("class", "agnostic"), thresholds=IOUS):
        if row["level"] == "agnostic" or row["class"] in (MEAN, "Pneumonia"):
            told[f"{row['level']} {row['class']} {row['metric']}"] = [row["value"], row["low"], row["high"]]
    for iou in IOUS:
        found = sensitivities(boxes, drawn.reference, iou, (RATE,))[RATE]
        told[f"sensitivity@{iou:g} at {RATE:g} false an image"] = [found.value, found.low, found.high]
    return told


def main() -> int:
    """Train what is missing, draw, judge, print and keep."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("delivery", type=Path)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--boxes", type=Path, help="a longer list of the publisher's, for the usual places")
    chosen = parser.parse_args()
    lake = make_lake(chosen.delivery, chosen.folder)
    train_ensemble(lake)
    if not lake.exists("pseudo_boxes", NAME):
        build_pseudo_boxes(NAME, lake)
    pools = drawn_pools(lake)
    drawn = pools[VALIDATION]
    made = Boxes.from_table(lake.read("pseudo_boxes", NAME)).on(drawn.images.columns["image_id"])
    said = {"pseudo boxes": made}
    if chosen.boxes:
        names = {row["native_image_id"] for row in source(NAME).boxes(chosen.delivery).table.to_pylist()}
        said |= controls.all_of(made, usual_places(chosen.boxes, names), drawn.sizes)
    told: dict[str, Any] = {
        "films": len(drawn.images),
        "boxes": len(drawn.reference.boxes),
        "by class": dict(Counter(drawn.reference.boxes.label.tolist())),
    }
    columns = [vocabulary().index(name) for name in vocabulary().pathologies]
    for name in RECIPES:
        panel = read_panel(lake, name).only(pool=VALIDATION)
        auc = mean_auc(panel.probability[:, columns], panel.label[:, columns], panel.group_id)
        told[f"mean AUC of {name}"] = [auc.value, auc.low, auc.high]
    for name, boxes in said.items():
        told[name] = figures(boxes, drawn)
        if boxes is not made:
            pair = difference(made, boxes, drawn.reference, 0.3)
            told[name]["pseudo boxes over it, map@0.3"] = [pair.value, pair.low, pair.high] if pair else None
    judged = Judged(lake, RECIPES[1], pools, thoraces_of(lake, drawn.images))
    rows = judged.rows()
    print(f"sheet of films: {judged.save_sheet()}")
    for method in CANDIDATES:
        mine = [row for row in rows if row["method"] == method]
        wanted = ("agnostic ap@0.1", "agnostic ap@0.3", "pointing game", "outside thorax", "map@0.1", "map@0.3")
        told[method] = {
            f"{row['class']} {row['metric']}": [row["value"], row["low"], row["high"]]
            for row in mine
            if row["metric"] in wanted and row["class"] in (MEAN, "Pneumonia", "all", None, "")
        }
    RESULT.write_text(json.dumps(told, indent=1) + "\n", encoding="utf-8")
    print(json.dumps(told, indent=1))
    return 0


if __name__ == "__main__":
    sys.exit(main())
