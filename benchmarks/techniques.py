"""Each technique of the original against one baseline, on the phantom, with one budget: AUC, interval, difference.

Every run of a group sees the same studies and steps; differences are paired over patients. Budgets are small on purpose
(the first group takes about 40 minutes on one core): read them as "does it work and does it hurt", not as a verdict
about real radiographs. The other groups have lakes of their own: one in which labels of the training pool are wrong in
known shares, one whose pictures are stored at 512 px.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from radia_pipeline.contracts.pools import TRAIN_FOLDS
from radia_pipeline.contracts.vocabulary import vocabulary
from radia_pipeline.evaluation.differences import mean_auc, paired_difference
from radia_pipeline.evaluation.panel import Panel, read_panel
from radia_pipeline.lake.lake import Lake
from radia_pipeline.training.fold_members import fold_member
from radia_pipeline.training.inference import predict_manifest
from radia_pipeline.training.model_folders import read_card
from radia_pipeline.training.out_of_fold import predict_out_of_fold
from radia_pipeline.training.outcome import Runtime
from radia_pipeline.training.recipes import load_recipe, with_options
from radia_pipeline.training.trainer import train

sys.path.insert(0, str(Path(__file__).parent))
from training_lake import write_training_lake
from wrong_labels import INVENTED, MISSED, write_queue, write_wrong_lake

RESULT = Path(__file__).parent / "results" / "techniques"
ORIGINAL_AUGMENTATION = {
    "augmentation.affine.p": 0.8,
    "augmentation.jitter.p": 0.8,
    "augmentation.flip.p": 0.5,
    "augmentation.grid.p": 0.1,
    "augmentation.elastic.p": 0.1,
}
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


BASELINE_NAME = next(iter(TECHNIQUES))
ON_WRONG_LABELS: dict[str, dict] = {
    BASELINE_NAME: {},
    "doubt: cells of the review queue weigh 1 - their chance to be wrong": {"labels.doubt": 1.0},
    "doubt, half as strong": {"labels.doubt": 0.5},
    "uncertain and blank answered by the baseline's members, out of fold": {"labels.teacher": slug(BASELINE_NAME)},
    "both": {"labels.doubt": 1.0, "labels.teacher": slug(BASELINE_NAME)},
}
RESOLUTIONS: dict[str, dict] = {f"{side} px": {"input.size_px": side} for side in (224, 384, 512)}


@dataclass(frozen=True)
class Budget:
    """What every technique of a group is given; a technique of two stages gives half of the epochs to each."""

    size_px: int
    epochs: int
    batch: int = 32

    def __str__(self) -> str:
        return (
            f"{self.size_px} px, {self.epochs} epochs (two stages: half each), batch {self.batch}, small DenseNet; "
            "mean over the 14 pathologies on the patients of the validation pool; differences are paired over them. "
            "The intervals know patients, not seeds."
        )


@dataclass(frozen=True)
class Group:
    """Techniques that share a lake, a budget and a baseline, the first of them. ``prepared``: what is made of the
    trained baseline before the others."""

    words: str
    lake: Callable[[Path], Lake]
    techniques: dict[str, dict]
    budget: Budget
    prepared: Callable[[Lake, Budget], None] = lambda _lake, _budget: None


def doubted(lake: Lake, budget: Budget) -> None:
    """Train the baseline's five members, let them answer out of fold, write the review queue of that."""
    base = slug(BASELINE_NAME)
    for fold in range(TRAIN_FOLDS):
        _train(lake, fold_member(base, fold), {"data.fold": fold}, budget, budget.epochs)
    predict_out_of_fold(lake, base)
    write_queue(lake, base)


GROUPS = {
    "main": Group(
        "Techniques; two lines with other seeds show what the seed alone does",
        write_training_lake,
        TECHNIQUES,
        Budget(64, 8),
    ),
    "wrong": Group(
        f"Where labels are wrong: in train {MISSED:.0%} of a pathology's findings are denied, {INVENTED:.0%} of absent "
        "ones affirmed",
        lambda folder: write_wrong_lake(folder.with_name(f"{folder.name}_wrong"), {"ccsmtl": 150, "nih_cxr14": 80}),
        ON_WRONG_LABELS,
        Budget(64, 6, 16),
        doubted,
    ),
    "resolution": Group(
        "Resolution: pictures are stored at 512 px",
        lambda folder: write_training_lake(
            folder.with_name(f"{folder.name}_512"), {"ccsmtl": 120, "nih_cxr14": 80}, size_px=512
        ),
        RESOLUTIONS,
        Budget(224, 6, 8),
    ),
}


def train_technique(lake: Lake, name: str, changes: dict, budget: Budget) -> tuple[Path, float]:
    """Train one technique, with its first stage if it has one; return its model's folder and seconds of training."""
    options = {key: value for key, value in changes.items() if key != FIRST}
    epochs, seconds = budget.epochs, 0.0
    if FIRST in changes:
        epochs = max(1, budget.epochs // 2)
        first, seconds = _train(lake, f"{slug(name)}_first", changes[FIRST], budget, epochs)
        options["init_from"] = first.parent.name
    folder, more = _train(lake, slug(name), options, budget, epochs)
    return folder, seconds + more


def _train(lake: Lake, recipe: str, options: dict, budget: Budget, epochs: int) -> tuple[Path, float]:
    """Train unless that was done before (a benchmark that was stopped goes on); return what the training took."""
    settings = {
        **BASELINE,
        "input.size_px": budget.size_px,
        "training.max_epochs": epochs,
        "stopping.patience": epochs,
        "training.batch_size": budget.batch,
        "name": recipe,
        **options,
    }
    result = train(with_options(load_recipe("demo_linear"), settings), lake, runtime=Runtime(workers=1))
    return result.model_dir, float(read_card(result.model_dir)["duration_s"])


def predicted(lake: Lake, name: str) -> Panel:
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
    )
    figures = {"auc": mean.value, "low": mean.low, "high": mean.high, "studies": len(panel)}
    figures |= {"difference": moved.value, "difference_low": moved.low, "difference_high": moved.high}
    return {"technique": name, **figures}


def as_markdown(groups: dict[str, dict]) -> str:
    """The tables for people."""
    rows = ["# Techniques on the phantom"]
    for name, kept in groups.items():
        rows += ["", f"## {GROUPS[name].words}", "", kept["budget"], ""]
        rows += ["| technique | mean AUC (95 %) | difference (95 %) |", "|---|---|---|"]
        for line in kept["lines"]:
            auc = f"{line['auc']:.3f} ({line['low']:.3f} to {line['high']:.3f})"
            moved = f"{line['difference']:+.3f} ({line['difference_low']:+.3f} to {line['difference_high']:+.3f})"
            rows.append(f"| {line['technique']} | {auc} | {moved} |")
    return "\n".join(rows) + "\n"


def kept_groups() -> dict[str, dict]:
    """What earlier runs came to, by group, in the groups' order."""
    try:
        return json.loads(RESULT.with_suffix(".json").read_text())["groups"]
    except FileNotFoundError:
        return {}


def keep(name: str, lines: list[dict], budget: Budget) -> None:
    """Keep what there is so far of a group: a benchmark that is stopped loses nothing."""
    found = {**kept_groups(), name: {"budget": str(budget), "lines": lines}}
    groups = {group: found[group] for group in GROUPS if group in found}
    RESULT.with_suffix(".json").write_text(json.dumps({"groups": groups}, indent=1) + "\n")
    RESULT.with_suffix(".md").write_text(as_markdown(groups))


def measured(name: str, folder: Path) -> None:
    """Train a group and keep its table."""
    group = GROUPS[name]
    lake, before = group.lake(folder), kept_groups().get(name, {"budget": "", "lines": []})
    known = {line["technique"]: line for line in before["lines"] if before["budget"] == str(group.budget)}
    lines, base, first = [], None, next(iter(group.techniques))
    for technique, changes in group.techniques.items():
        model, seconds = train_technique(lake, technique, changes, group.budget)
        if technique == first:
            group.prepared(lake, group.budget)
        line = known.get(technique, {})
        if line.get("model") != model.name:
            base = predicted(lake, first) if base is None else base
            line = compared(technique, predicted(lake, technique), base)
        lines.append({**line, "model": model.name, "training_s": round(seconds, 1)})
        keep(name, lines, group.budget)
        print(f"{technique}: {seconds:.0f} s, AUC {line['auc']:.3f}", flush=True)


def main() -> None:
    """Train the groups that are asked for; print and keep their tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--lake", type=Path, default=Path(".radia/bench_techniques"))
    parser.add_argument("--groups", nargs="+", choices=list(GROUPS), default=list(GROUPS))
    options = parser.parse_args()
    torch.set_num_threads(1)
    for name in options.groups:
        measured(name, options.lake)
    print(as_markdown(kept_groups()))


if __name__ == "__main__":
    main()
