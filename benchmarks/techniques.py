"""Each technique of the original against one baseline, on the phantom, with one budget: AUC, interval, difference.

Every run sees the same studies, steps and seed; differences are paired over patients. The budget is small on purpose
(a few minutes on two cores): read it as "does it work and does it hurt", not as a verdict about real radiographs.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from pathlib import Path

import numpy as np
import torch

from radia_pipeline.contracts.vocabulary import vocabulary
from radia_pipeline.evaluation.bootstrap import bootstrap_classes, mean_interval, paired_difference
from radia_pipeline.evaluation.panel import Panel, read_panel
from radia_pipeline.learning.inference import predict_manifest
from radia_pipeline.learning.outcome import Runtime
from radia_pipeline.learning.recipes import load_recipe, with_options
from radia_pipeline.learning.trainer import train

sys.path.insert(0, str(Path(__file__).parent))
from training_lake import write_training_lake

RESULT = Path(__file__).parent / "results" / "techniques"
REPLICATES = 300
ORIGINAL_AUGMENTATION = {
    "augmentation.affine.p": 0.8, "augmentation.jitter.p": 0.8, "augmentation.flip.p": 0.5,
    "augmentation.grid.p": 0.1, "augmentation.elastic.p": 0.1,
}  # fmt: skip
BASELINE = {"model.head": "pcam"}
TECHNIQUES: dict[str, dict] = {
    "baseline (PCAM head)": {},
    "linear head": {"model.head": "linear"},
    "hierarchy at inference": {"task.inference": "hierarchy"},
    "conditional stage + hierarchy": {"task.kind": "conditional", "task.inference": "hierarchy"},
    "frontal view only": {"views.use": "frontal"},
    "separate weights per view": {"views.weights": "separate"},
    "views summed (original)": {"views.combine": "sum"},
    "views: max": {"views.combine": "max"},
    "no pos_weight": {"task.pos_weight": "none"},
    "label smoothing 0.1": {"task.label_smoothing": 0.1},
    "uncertain = ones": {"labels.uncertain": "ones"},
    "uncertain ignored": {"labels.uncertain": "ignore"},
    "blank ignored": {"labels.blank": "ignore"},
    "weighted sampler": {"data.sampler": "weighted", "data.no_finding_weight": 0.3},
    "original's augmentation": ORIGINAL_AUGMENTATION,
    "no augmentation": {"augmentation.affine.p": 0.0, "augmentation.jitter.p": 0.0},
    "3 channels (CLAHE)": {"input.channels": "clahe"},
    "averaged weights (EMA)": {"training.ema": 0.98},
    "moving-average labels": {"labels.moving_average": 0.999},
    "cosine schedule": {"schedule.name": "cosine"},
    "SGD + momentum": {"optimizer.name": "sgd", "optimizer.lr": 0.1},
    "dropout 0.1": {"model.dropout": 0.1},
}


def train_technique(lake, number: int, options: dict, size_px: int, epochs: int) -> tuple[Panel, float]:
    """Train one technique and return its test predictions and seconds."""
    settings = {
        **BASELINE, "input.size_px": size_px, "training.max_epochs": epochs, "training.batch_size": 32,
        "name": f"technique_{number:02d}", **options,
    }  # fmt: skip
    recipe = with_options(load_recipe("demo_linear"), settings)
    begun = time.monotonic()
    train(recipe, lake, runtime=Runtime(workers=1))
    seconds = time.monotonic() - begun
    predict_manifest(lake, recipe.name)
    return read_panel(lake, recipe.name), seconds


def compare(panels: dict[str, Panel]) -> list[dict]:
    """Mean AUC over pathologies on validation + test patients, interval, paired difference from the baseline."""
    columns = [vocabulary().index(name) for name in vocabulary().pathologies]
    base = next(iter(panels.values()))
    lines = []
    for name, panel in panels.items():
        mine = [panel.probability[:, columns], panel.label[:, columns], panel.group_id]
        mean = mean_interval(bootstrap_classes(*mine, replicates=REPLICATES), "auc")
        common = np.intersect1d(panel.study_id, base.study_id)
        ours, theirs = panel.only(study_ids=common), base.only(study_ids=common)
        moved = paired_difference(
            ours.probability[:, columns], theirs.probability[:, columns], ours.label[:, columns], ours.group_id,
            replicates=REPLICATES,
        )  # fmt: skip
        figures = {"auc": mean.value, "low": mean.low, "high": mean.high, "studies": len(panel)}
        figures |= {"difference": moved.value, "difference_low": moved.low, "difference_high": moved.high}
        lines.append({"technique": name, **figures})
    return lines


def as_markdown(lines: list[dict], budget: str) -> str:
    """The table for people."""
    rows = [
        "# Techniques on the phantom",
        "",
        budget,
        "",
        "| technique | mean AUC (95 %) | difference (95 %) |",
        "|---|---|---|",
    ]
    for line in lines:
        auc = f"{line['auc']:.3f} ({line['low']:.3f} to {line['high']:.3f})"
        moved = f"{line['difference']:+.3f} ({line['difference_low']:+.3f} to {line['difference_high']:+.3f})"
        rows.append(f"| {line['technique']} | {auc} | {moved} |")
    return "\n".join(rows) + "\n"


def main() -> None:
    """Train all, print and keep the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--lake", type=Path, default=Path(".radia/bench_techniques"))
    parser.add_argument("--size-px", type=int, default=64)
    parser.add_argument("--epochs", type=int, default=4)
    parser.add_argument("--only", nargs="*", help="words of the techniques to train, besides the baseline")
    options = parser.parse_args()
    torch.set_num_threads(1)
    lake = write_training_lake(options.lake)
    panels, seconds = {}, {}
    for number, (name, changes) in enumerate(TECHNIQUES.items()):
        if number and options.only and not any(word in name for word in options.only):
            continue
        panels[name], seconds[name] = train_technique(lake, number, changes, options.size_px, options.epochs)
        print(f"{name}: {seconds[name]:.0f} s", flush=True)
    lines = compare(panels)
    budget = (
        f"{options.size_px} px, {options.epochs} epochs, batch 32, small DenseNet, one seed; mean over the 14 "
        "pathologies on the patients of the validation and test pools; differences are paired."
    )
    RESULT.with_suffix(".json").write_text(
        json.dumps({"budget": budget, "lines": lines, "seconds": seconds}, indent=1) + "\n"
    )
    RESULT.with_suffix(".md").write_text(as_markdown(lines, budget))
    print(as_markdown(lines, budget))


if __name__ == "__main__":
    main()
