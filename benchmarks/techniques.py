"""Each technique of the original against one baseline, on the phantom, with one budget: AUC, interval, difference.

Every run sees the same studies and steps; differences are paired over patients. The budget is small on purpose (about
40 minutes on one core): read it as "does it work and does it hurt", not as a verdict about real radiographs.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from radia_pipeline.contracts.vocabulary import vocabulary
from radia_pipeline.evaluation.differences import mean_auc, paired_difference
from radia_pipeline.evaluation.panel import Panel, read_panel
from radia_pipeline.training.inference import predict_manifest
from radia_pipeline.training.model_folders import read_card
from radia_pipeline.training.outcome import Runtime
from radia_pipeline.training.recipes import load_recipe, with_options
from radia_pipeline.training.trainer import train

sys.path.insert(0, str(Path(__file__).parent))
from training_lake import write_training_lake

RESULT = Path(__file__).parent / "results" / "techniques"
REPLICATES = 300
ORIGINAL_AUGMENTATION = {
    "augmentation.affine.p": 0.8, "augmentation.jitter.p": 0.8, "augmentation.flip.p": 0.5,
    "augmentation.grid.p": 0.1, "augmentation.elastic.p": 0.1,
}  # fmt: skip
BASELINE = {"model.head": "pcam"}


def slug(name: str) -> str:
    """Return the recipe's name of a technique."""
    return "t_" + re.sub(r"[^a-z0-9]+", "_", name.lower()).strip("_")[:50]


FIRST = "first"
"""Key of a technique, besides options: those of the stage that it starts from."""
SMALL_CONVNEXT = {
    "model.backbone": "convnext_atto",
    "model.kwargs": {"depths": [1, 1, 3, 1], "dims": [24, 48, 96, 192]},
}
SMALL_DEIT = {
    "model.backbone": "deit_tiny_patch16_224",
    "model.kwargs": {"depth": 4, "embed_dim": 96, "num_heads": 3, "patch_size": 8},
}
TECHNIQUES: dict[str, dict] = {
    "baseline (PCAM head)": {},
    "baseline, another seed": {"training.seed": 101},
    "baseline, a third seed": {"training.seed": 102},
    "linear head": {"model.head": "linear"},
    "hierarchy at inference": {"task.inference": "hierarchy"},
    "conditional stage + hierarchy": {"task.kind": "conditional", "task.inference": "hierarchy"},
    "conditional stage, then the head on all studies": {
        "model.train_only": "head",
        FIRST: {"task.kind": "conditional", "task.inference": "hierarchy"},
    },
    "AUC-margin fine-tune of the baseline": {
        "task.kind": "auc_margin",
        "task.pos_weight": "none",
        "labels.uncertain": "ignore",
        "optimizer.name": "sgd",
        "optimizer.lr": 0.02,
        FIRST: {},
    },
    "pretrained on NIH, then tuned on CCSMTL": {"data.sources": ["ccsmtl"], FIRST: {"data.sources": ["nih_cxr14"]}},
    "CCSMTL only": {"data.sources": ["ccsmtl"]},
    "frontal view only": {"views.use": "frontal"},
    "all views (at most 4)": {"views.use": "all"},
    "separate weights per view": {"views.weights": "separate"},
    "views summed (original)": {"views.combine": "sum"},
    "views: max": {"views.combine": "max"},
    "views: log-mean-exp": {"views.combine": "logsumexp"},
    "no pos_weight": {"task.pos_weight": "none"},
    "pos_weight capped at 100 (original)": {"task.pos_weight_cap": 100.0},
    "class weights (rare classes x 2)": {"task.class_weight": {"Hernia": 2.0, "Pneumothorax": 2.0, "Fracture": 2.0}},
    "label smoothing 0.1": {"task.label_smoothing": 0.1},
    "uncertain = ones": {"labels.uncertain": "ones"},
    "uncertain = zeros": {"labels.uncertain": "zeros"},
    "uncertain ignored": {"labels.uncertain": "ignore"},
    "blank ignored": {"labels.blank": "ignore"},
    "weighted sampler": {"data.sampler": "weighted", "data.no_finding_weight": 0.3},
    "original's augmentation": ORIGINAL_AUGMENTATION,
    "no augmentation": {"augmentation.affine.p": 0.0, "augmentation.jitter.p": 0.0},
    "3 channels (CLAHE)": {"input.channels": "clahe"},
    "averaged weights (EMA)": {"training.ema": 0.98},
    "blank ignored, uncertain and blank answered by the baseline": {
        "labels.blank": "ignore",
        "labels.teacher": slug("baseline (PCAM head)"),
    },
    "uncertain answered by the baseline": {
        "labels.teacher": slug("baseline (PCAM head)"),
        "labels.teacher_answers": ["uncertain"],
    },
    "moving-average labels": {"labels.moving_average": 0.999},
    "cosine schedule": {"schedule.name": "cosine"},
    "cosine with restarts": {"schedule.name": "cosine_restarts", "schedule.restart_epochs": 2},
    "step schedule": {"schedule.name": "step", "schedule.step_epochs": 3},
    "SGD + momentum": {"optimizer.name": "sgd", "optimizer.lr": 0.1},
    "Adam": {"optimizer.name": "adam"},
    "RMSprop": {"optimizer.name": "rmsprop", "optimizer.lr": 1e-3},
    "Adagrad": {"optimizer.name": "adagrad", "optimizer.lr": 1e-2},
    "dropout 0.1": {"model.dropout": 0.1},
    "stopping on F1": {"stopping.metric": "f1"},
    "ConvNeXt-type": SMALL_CONVNEXT,
    "DeiT-type": {**SMALL_DEIT, "optimizer.lr": 1e-3},
}


@dataclass(frozen=True)
class Budget:
    """What every technique is given: input side and epochs; a technique of two stages gives half to each."""

    size_px: int
    epochs: int

    def __str__(self) -> str:
        return (
            f"{self.size_px} px, {self.epochs} epochs (two stages: half each), batch 32, small DenseNet; mean over the "
            "14 pathologies on the patients of the validation pool; differences are paired over patients. "
            "The intervals know patients, not seeds: the two lines with other seeds show what the seed alone does."
        )


def train_technique(lake, name: str, changes: dict, budget: Budget) -> tuple[Path, float]:
    """Train one technique, with its first stage if it has one; return its model's folder and seconds of training."""
    options = {key: value for key, value in changes.items() if key != FIRST}
    epochs, seconds = budget.epochs, 0.0
    if FIRST in changes:
        epochs = max(1, budget.epochs // 2)
        first, seconds = _train(lake, f"{slug(name)}_first", changes[FIRST], budget.size_px, epochs)
        options["init_from"] = first.parent.name
    folder, more = _train(lake, slug(name), options, budget.size_px, epochs)
    return folder, seconds + more


def _train(lake, recipe: str, options: dict, size_px: int, epochs: int) -> tuple[Path, float]:
    """Train unless that was done before (a benchmark that was stopped goes on); return what the training took."""
    settings = {
        **BASELINE, "input.size_px": size_px, "training.max_epochs": epochs, "training.batch_size": 32,
        "stopping.patience": epochs, "name": recipe, **options,
    }  # fmt: skip
    result = train(with_options(load_recipe("demo_linear"), settings), lake, runtime=Runtime(workers=1))
    return result.model_dir, float(read_card(result.model_dir)["duration_s"])


def predicted(lake, name: str) -> Panel:
    """Return a technique's predictions, made now."""
    predict_manifest(lake, slug(name))
    return read_panel(lake, slug(name))


def compared(name: str, panel: Panel, base: Panel) -> dict:
    """Mean AUC over pathologies on validation, interval, paired difference from the baseline."""
    columns = [vocabulary().index(pathology) for pathology in vocabulary().pathologies]
    mean = mean_auc(panel.probability[:, columns], panel.label[:, columns], panel.group_id)
    common = np.intersect1d(panel.study_id, base.study_id)
    ours, theirs = panel.only(study_ids=common), base.only(study_ids=common)
    moved = paired_difference(
        ours.probability[:, columns], theirs.probability[:, columns], ours.label[:, columns], ours.group_id
    )  # fmt: skip
    figures = {"auc": mean.value, "low": mean.low, "high": mean.high, "studies": len(panel)}
    figures |= {"difference": moved.value, "difference_low": moved.low, "difference_high": moved.high}
    return {"technique": name, **figures}


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


def write_result(lines: list[dict], budget: Budget) -> None:
    """Keep what there is so far: a benchmark that is stopped loses nothing."""
    RESULT.with_suffix(".json").write_text(json.dumps({"budget": str(budget), "lines": lines}, indent=1) + "\n")
    RESULT.with_suffix(".md").write_text(as_markdown(lines, str(budget)))


def known_lines(budget: Budget) -> dict[str, dict]:
    """Lines of an earlier run with the same budget, by technique."""
    try:
        kept = json.loads(RESULT.with_suffix(".json").read_text())
    except FileNotFoundError:
        return {}
    return {line["technique"]: line for line in kept["lines"]} if kept["budget"] == str(budget) else {}


def main() -> None:
    """Train all, print and keep the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--lake", type=Path, default=Path(".radia/bench_techniques"))
    parser.add_argument("--size-px", type=int, default=64)
    parser.add_argument("--epochs", type=int, default=8)
    options = parser.parse_args()
    torch.set_num_threads(1)
    lake = write_training_lake(options.lake)
    budget = Budget(options.size_px, options.epochs)
    known, lines, base = known_lines(budget), [], None
    for name, changes in TECHNIQUES.items():
        folder, seconds = train_technique(lake, name, changes, budget)
        line = known.get(name, {})
        if line.get("model") != folder.name:
            base = predicted(lake, next(iter(TECHNIQUES))) if base is None else base
            line = compared(name, predicted(lake, name), base)
        lines.append({**line, "model": folder.name, "training_s": round(seconds, 1)})
        write_result(lines, budget)
        print(f"{name}: {seconds:.0f} s, AUC {line['auc']:.3f}", flush=True)
    print(as_markdown(lines, str(budget)))


if __name__ == "__main__":
    main()
