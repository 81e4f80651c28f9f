"""A finer map under the head (``model.map_stride``) against the backbone's own: mean AUC, and boxes of small findings.

Every recipe learns from one phantom lake with the same epochs and seeds, and is judged on another of other patients,
all of it unseen: AUC on its studies, boxes of ``stagecam`` and of other maps on its frontal films against what the
phantom drew. Differences are paired over patients; a mean over seeds keeps the patients' half-width and adds Student's
for the seeds. What has been trained stays, so that a run that was stopped goes on.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import numpy as np

from radia_pipeline.contracts.pools import VALIDATION
from radia_pipeline.contracts.vocabulary import vocabulary

sys.path.insert(0, str(Path(__file__).parent))
from over_worlds import over_seeds
from training_lake import key, write_training_lake

RESULT = Path(__file__).parent / "results" / "finer_head.json"
LEARNED, JUDGED = {"ccsmtl": 400, "nih_cxr14": 260}, {"ccsmtl": 400, "nih_cxr14": 300}
LEARNED_SEED, JUDGED_SEED = 515, 99173
PLAIN = "plain"
STRIDES: dict[str, int | None] = {PLAIN: None, "stride 8": 8, "stride 4": 4}
METHODS = ("stagecam", "layercam", "pcam")
IOU = 0.3
SMALL = ("Nodule", "Fracture", "Mass")
"""Classes that are shown by themselves."""


def judged_lake(folder: Path):
    """A lake of other patients, all of them in validation; {image: [(class, corners)]} of what was drawn."""
    import pyarrow as pa

    from radia_pipeline.localisation.boxes import Boxes

    lake = write_training_lake(folder / "judged", JUDGED, JUDGED_SEED)
    for source in JUDGED:
        table = lake.read("manifest", source)
        for name, value in (("pool", VALIDATION), ("fold", None)):
            at = table.schema.get_field_index(name)
            kind = table.schema.field(at).type
            table = table.set_column(at, table.schema.field(at), pa.array([value] * len(table), kind))
        if not lake.read("manifest", source).equals(table):
            lake.write("manifest", table, partition=source)
    kept = folder / "truth.json"
    if not kept.exists():
        with ProcessPoolExecutor(2) as pool:
            tasks = [(source, number) for source, count in JUDGED.items() for number in range(1, count + 1)]
            kept.write_text(json.dumps([row for part in pool.map(drawn_on, tasks, chunksize=16) for row in part]))
    return lake, Boxes.of((image, name, tuple(corners), 1.0) for image, name, corners in json.loads(kept.read_text()))


def drawn_on(task: tuple[str, int]) -> list[tuple[str, str, list[float]]]:
    """(image, class, corners) of what a patient's films show, under the parents among the pathologies too."""
    from training_lake import SIZE_PX

    from radia_pipeline.phantom.people import draw_patient
    from radia_pipeline.phantom.radiograph import take

    (source, number), words, rows = task, vocabulary(), []
    for study in draw_patient(JUDGED_SEED, source, number, SIZE_PX).studies:
        for image in study.images:
            for name, (x, y, width, height) in take(image.film).boxes:
                above = [parent for parent in words.ancestors(name) if parent in words.pathologies]
                corners = [float(one) for one in (x, y, x + width, y + height)]
                rows += [(key(source, number, study.number, image.number), one, corners) for one in (name, *above)]
    return rows


def answers(folder: Path, name: str, seed: int, budget: tuple[int, int]) -> tuple[Path, float]:
    """Train one; return its model's folder and the processor seconds of a training that was done just now."""
    from radia_pipeline.training.inference import predict_manifest
    from radia_pipeline.training.outcome import Runtime
    from radia_pipeline.training.recipes import load_recipe, with_options
    from radia_pipeline.training.trainer import train

    lake, (size_px, epochs) = write_training_lake(folder / "learned", LEARNED, LEARNED_SEED), budget
    options = {
        "name": recipe_of(name, seed),
        "training.seed": seed,
        "training.max_epochs": epochs,
        "input.size_px": size_px,
        "stopping.patience": epochs,
        "model.map_stride": STRIDES[name],
    }
    begun = time.process_time()
    result = train(with_options(load_recipe("demo_pcam"), options), lake, runtime=Runtime(workers=1))
    spent = time.process_time() - begun
    if not result.reused or not lake.exists("predictions", recipe_of(name, seed)):
        predict_manifest(lake, recipe_of(name, seed))
    return result.model_dir, float("nan") if result.reused else spent


def recipe_of(name: str, seed: int) -> str:
    """Return a recipe's name."""
    return f"finer_{name.replace(' ', '_')}_{seed}"


def judged(folder: Path, name: str, seed: int, budget: tuple[int, int]) -> dict:
    """Answers and boxes of one training on the judged lake."""
    import torch

    from radia_pipeline.evaluation.panel import read_panel
    from radia_pipeline.lake.lake import Lake
    from radia_pipeline.localisation.benchmark import ExplainedFilms, cut, gates_of
    from radia_pipeline.localisation.choice import Choice
    from radia_pipeline.localisation.explainer import BATCH, Explainer, read_images
    from radia_pipeline.training.inference import score_manifest
    from radia_pipeline.training.studies import FRONTAL_ORDER

    model, spent = answers(folder, name, seed, budget)
    lake, truth = judged_lake(folder)
    recipe = recipe_of(name, seed)
    lake.write("predictions", score_manifest(lake, recipe, (VALIDATION,), folder=model), partition=recipe)
    panel = read_panel(lake, recipe)
    images = read_images(lake, list(JUDGED)).where(view=set(FRONTAL_ORDER))
    explainer = Explainer(lake, recipe, images, METHODS, folder=model)
    gates, boxes = gates_of(Lake.open(folder / "learned"), recipe), {method: [] for method in METHODS}
    for start in range(0, len(images), BATCH):
        rows = list(range(start, min(start + BATCH, len(images))))
        wanted = torch.from_numpy(explainer.probabilities(rows) >= gates)
        seen = explainer.rows(rows, wanted)
        for method in METHODS:
            boxes[method].append(cut(ExplainedFilms(seen, images.take(rows), explainer.size_px), gates, Choice(method)))
    return {"panel": panel, "boxes": boxes, "images": images, "truth": truth, "cpu_s": spent}


def main() -> int:
    """Train, judge, print and keep."""
    from radia_pipeline.evaluation.differences import mean_auc, paired_difference
    from radia_pipeline.localisation.average_precision import Reference, score_boxes
    from radia_pipeline.localisation.boxes import Boxes
    from radia_pipeline.localisation.paired import difference

    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--folder", type=Path, default=Path("/tmp/radia_finer_head"))
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3])
    parser.add_argument("--epochs", type=int, default=9)
    parser.add_argument("--size", type=int, default=128, help="pixels of the input's side")
    parser.add_argument("--only", nargs="+", default=list(STRIDES), choices=list(STRIDES))
    chosen = parser.parse_args()
    told: dict = {
        "epochs": chosen.epochs,
        "size_px": chosen.size,
        "learned": LEARNED,
        "judged": JUDGED,
        "runs": [],
        "over_plain": {},
    }
    apart: dict = {}
    for seed in chosen.seeds:
        plain = None
        for name in chosen.only:
            one = judged(chosen.folder, name, seed, (chosen.size, chosen.epochs))
            panel, images = one["panel"], one["images"]
            columns = [vocabulary().index(each) for each in vocabulary().pathologies]
            score, label = panel.probability[:, columns], panel.label[:, columns]
            auc = mean_auc(score, label, panel.group_id)
            names = tuple(images.columns["image_id"])
            reference = Reference(names, np.array(images.columns["group_id"], dtype=object), one["truth"].on(names))
            boxes = {method: Boxes.joined(parts) for method, parts in one["boxes"].items()}
            row = {"name": name, "seed": seed, "cpu_s": one["cpu_s"], "auc": [auc.value, auc.low, auc.high]}
            for method, made in boxes.items():
                found = score_boxes(made, reference, levels=["class"], thresholds=[IOU])
                row[method] = {each["class"]: each["value"] for each in found}
            told["runs"].append(row)
            print(json.dumps({**row, **{m: {k: row[m].get(k) for k in ("mean", *SMALL)} for m in METHODS}}), flush=True)
            if name == PLAIN:
                plain = (score, panel, boxes)
            elif plain is not None:
                assert (plain[1].study_id == panel.study_id).all()
                away = paired_difference(score, plain[0], label, panel.group_id)
                apart.setdefault(name, {}).setdefault("auc", []).append(away)
                for method in METHODS:
                    away = difference(boxes[method], plain[2]["stagecam"], reference, IOU)
                    apart[name].setdefault(f"{method} over plain stagecam", []).append(away)
    for name, found in apart.items():
        told["over_plain"][name] = {metric: over_seeds(parts) for metric, parts in found.items()}
        print(name, json.dumps(told["over_plain"][name], indent=1), flush=True)
    RESULT.write_text(json.dumps(told, indent=1) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
