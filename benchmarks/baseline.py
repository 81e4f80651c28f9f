"""Our recipe against plain loops with the same processor seconds, over seeds: mean AUC over 14 pathologies.

Our training goes first (packing, validation, checkpoints and the model's card count); each loop then gets as many
processor seconds of one thread as it took with the same seed. All are judged on a phantom lake of its own seed that
none of them has seen: the recipe's choice of an epoch gives it nothing there. A loop may choose its learning rate and
side on a third lake beforehand (``--tune``), and so may ours among a few changes. What has been trained stays: a run
that was stopped goes on.

The interval of a difference holds both the patients and the seeds: the mean over seeds of each paired interval's
half-width (the patients are the same in all of them), and Student's for the mean of the seeds' differences.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np

from radia_pipeline.contracts.label_values import MISSING, UNCERTAIN
from radia_pipeline.contracts.pools import VALIDATION
from radia_pipeline.contracts.vocabulary import vocabulary
from radia_pipeline.evaluation.differences import mean_auc, paired_difference
from radia_pipeline.evaluation.panel import Panel, read_panel

sys.path.insert(0, str(Path(__file__).parent))
from training_lake import write_training_lake

RESULT = Path(__file__).parent / "results" / "baseline.json"
OURS, RECIPE = "ours", "demo_pcam"
STILL = {"augmentation.affine.p": 0.0, "augmentation.jitter.p": 0.0}
QUICK = {"input.size_px": 64, "training.max_epochs": 16, "stopping.patience": 100}
"""A cycle of the learning rate goes to its end; of larger pictures fewer epochs, so that seconds are equal."""
CHANGES: dict[str, dict] = {
    "128 px": {**QUICK, "input.size_px": 128, "training.max_epochs": 5},
    "64 px": QUICK,
    "64 px, still": {**QUICK, **STILL},
    "64 px, still, uncertain ignored": {**QUICK, **STILL, "labels.uncertain": "ignore"},
}
"""What ours may choose from."""
LEARNED, JUDGED = {"ccsmtl": 600, "nih_cxr14": 400}, {"ccsmtl": 400, "nih_cxr14": 300}
LEARNED_SEED, JUDGED_SEED, TUNED_SEED = 20261130, 774411, 31
"""Of the phantom: what is learned from, what all are judged on, and what learning rates are chosen on."""


def learned_lake(folder: Path, seed: int):
    """The lake that is learned from: three pools."""
    return write_training_lake(folder / f"learned_{seed}", LEARNED, seed)


def judged_lake(folder: Path, seed: int):
    """A lake of other patients, all of them in validation."""
    import pyarrow as pa

    lake = write_training_lake(folder / f"judged_{seed}", JUDGED, seed)
    for source in JUDGED:
        table = lake.read("manifest", source)
        if set(table.column("pool").to_pylist()) == {VALIDATION}:
            continue
        at = table.schema.get_field_index("pool")
        moved = table.set_column(at, table.schema.field(at), pa.array([VALIDATION] * len(table), pa.string()))
        at = moved.schema.get_field_index("fold")
        moved = moved.set_column(at, moved.schema.field(at), pa.nulls(len(table), moved.schema.field(at).type))
        lake.write("manifest", moved, partition=source)
    return lake


def ours(folder: Path, seed: int, _budget_s: float, choice: str) -> dict:
    """Train the recipe with a seed and judge it; nothing of an earlier seed's packing is used."""
    from radia_pipeline.training.inference import score_manifest
    from radia_pipeline.training.outcome import Runtime
    from radia_pipeline.training.recipes import load_recipe, with_options
    from radia_pipeline.training.trainer import train

    lake, judged = _lakes(folder, bool(choice))
    changes = CHANGES[choice or _chosen(folder, OURS, "128 px")]
    name = f"baseline_{seed}_{list(CHANGES.values()).index(changes)}"
    recipe = with_options(load_recipe(RECIPE), {"name": name, "training.seed": seed, **changes})
    shutil.rmtree(lake.packed_dir, ignore_errors=True)
    begun = time.process_time()
    result = train(recipe, lake, runtime=Runtime(workers=1))
    spent = time.process_time() - begun
    assert not result.reused, "the seconds of a model that stood already are not known"
    table = score_manifest(judged, recipe.name, (VALIDATION,), folder=result.model_dir)
    judged.write("predictions", table, partition=recipe.name)
    panel = read_panel(judged, recipe.name)
    return {
        "cpu_s": spent,
        "images": None,
        "epochs": result.epochs,
        "answers": dict(zip(panel.study_id.tolist(), panel.probability)),
    }


def plain(name: str):
    """Return the function that trains one of the loops."""

    def run(folder: Path, seed: int, budget_s: float, choice: str) -> dict:
        from plain_loops import LOOPS, OFFERED, answers, trained

        loop = LOOPS[name]
        lake, judged = _lakes(folder, bool(choice))
        if made := choice or _chosen(folder, name, ""):
            loop = replace(loop, **OFFERED[name][made])
        net, told = trained(loop, lake, seed, budget_s)
        return {**told, "answers": answers(loop, net, judged)}

    return run


CONTESTANTS = {OURS: ours} | {name: plain(name) for name in ("timm", "timm, no augmentation", "torchxrayvision")}


def _lakes(folder: Path, is_tuning: bool):
    if is_tuning:
        return learned_lake(folder, TUNED_SEED), judged_lake(folder, TUNED_SEED + 1)
    return learned_lake(folder, LEARNED_SEED), judged_lake(folder, JUDGED_SEED)


def _chosen(folder: Path, name: str, otherwise: str) -> str:
    path = folder / f"choice_{name}.json"
    if not path.exists():
        return otherwise
    tried = json.loads(path.read_text())
    return max(tried, key=tried.get)


def in_a_process(folder: Path, name: str, seed: int, budget_s: float, choice: str = "") -> dict:
    """Train one contestant in a process of its own, one thread; what it told, kept in the folder."""
    made = choice or _chosen(folder, name, "default")
    kept = folder / "answers" / f"{name}_{seed}_{made}{'_tuning' if choice else ''}.npz".replace(" ", "_")
    if not kept.exists():
        one = [name, str(seed), str(budget_s), choice, str(kept)]
        threads = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
        command = [sys.executable, __file__, "--folder", str(folder), "--one", *one]
        subprocess.run(command, check=True, env={**os.environ, **threads})
    with np.load(kept, allow_pickle=False) as found:
        told = json.loads(str(found["told"]))
        return {**told, "answers": dict(zip(found["study_id"].tolist(), found["probability"]))}


def train_one(folder: Path, name: str, seed: str, budget_s: str, choice: str, kept: str) -> None:
    """What the process of one contestant does."""
    import torch

    torch.set_num_threads(1)
    told = CONTESTANTS[name](folder, int(seed), float(budget_s), choice)
    answers = told.pop("answers")
    Path(kept).parent.mkdir(parents=True, exist_ok=True)
    probability = np.stack(list(answers.values()))
    np.savez(kept, told=json.dumps(told), study_id=np.array(list(answers), dtype=str), probability=probability)


def panel_with(panel: Panel, answers: dict[str, np.ndarray]) -> np.ndarray:
    """Probabilities (n, K) of the panel's studies; a study without an answer has the mean of the others."""
    mean = np.mean(list(answers.values()), axis=0)
    return np.stack([answers.get(study, mean) for study in panel.study_id])


def truth_of(judged) -> Panel:
    """The studies that all are judged on, with their labels."""
    return read_panel(judged, judged.partitions("predictions")[0])


def compared(truth: Panel, mine: list[dict], theirs: list[dict], seeds: list[int]) -> dict:
    """Figures of each seed and the difference over seeds, with the interval that the module's docstring says."""
    from scipy.stats import t

    columns = [vocabulary().index(pathology) for pathology in vocabulary().pathologies]
    label, group = truth.label[:, columns], truth.group_id
    lines, moved = [], []
    for seed, first, second in zip(seeds, mine, theirs):
        scores = [panel_with(truth, told["answers"])[:, columns] for told in (first, second)]
        one = paired_difference(*scores, label, group)
        moved.append((one.value, one.low, one.high))
        own = mean_auc(scores[1], label, group)
        lines.append(
            {
                "seed": seed,
                "auc": own.value,
                "low": own.low,
                "high": own.high,
                "difference": one.value,
                "difference_low": one.low,
                "difference_high": one.high,
                **{key: second[key] for key in ("cpu_s", "images", "epochs")},
            }
        )
    value, low, high = np.array(moved).T
    between = t.ppf(0.975, len(seeds) - 1) * value.std(ddof=1) / np.sqrt(len(seeds)) if len(seeds) > 1 else np.nan
    return {
        "auc": float(np.mean([line["auc"] for line in lines])),
        "ours_above_by": float(value.mean()),
        "low": float(value.mean() - np.hypot((value - low).mean(), between)),
        "high": float(value.mean() + np.hypot((high - value).mean(), between)),
        "seeds": lines,
    }


def tuned(folder: Path, budget_s: float) -> dict[str, dict[str, float]]:
    """Let each that may choose do so, on lakes of their own; a loop has ``budget_s`` for each try."""
    from plain_loops import OFFERED

    tried: dict[str, dict[str, float]] = {}
    offered = {OURS: list(CHANGES)} | {name: list(choices) for name, choices in OFFERED.items()}
    for name, choices in offered.items():
        found = {}
        for choice in choices:
            told = in_a_process(folder, name, 1, budget_s, choice)
            found[choice] = _plain_auc(judged_lake(folder, TUNED_SEED + 1), told["answers"])
            print(f"{name}, {choice}: {found[choice]:.4f}, {told['cpu_s']:.0f} s of processor", flush=True)
        (folder / f"choice_{name}.json").write_text(json.dumps(found))
        tried[name] = found
    return tried


def _plain_auc(lake, answers: dict[str, np.ndarray]) -> float:
    from radia_pipeline.training.recipes import load_recipe
    from radia_pipeline.training.studies import evaluation_labels, pool_studies, read_manifest

    manifest, _ = read_manifest(lake, None)
    rows = {image: at for at, image in enumerate(manifest.column("image_id").to_pylist())}
    studies = pool_studies(manifest, load_recipe(RECIPE), VALIDATION, rows)
    columns = [vocabulary().index(pathology) for pathology in vocabulary().pathologies]
    score = np.stack([answers[study] for study in studies.study_id])[:, columns]
    label = evaluation_labels(studies)[:, columns]
    return float(mean_auc(score, np.where(label == UNCERTAIN, MISSING, label), studies.group_id).value)


def main() -> None:
    """Train all, print and keep what they came to."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path, default=Path(".radia/bench_baseline"))
    parser.add_argument("--seeds", type=int, nargs="+", default=[11, 12, 13])
    parser.add_argument("--tune", type=float, metavar="SECONDS", help="let them choose first, with so many each")
    parser.add_argument("--one", nargs=5, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one:
        train_one(options.folder, *options.one)
        return
    tried = tuned(options.folder, options.tune) if options.tune else {}
    told: dict[str, list[dict]] = {name: [] for name in CONTESTANTS}
    for seed in options.seeds:
        for name in CONTESTANTS:
            budget_s = told[OURS][-1]["cpu_s"] if name != OURS else 0.0
            told[name].append(in_a_process(options.folder, name, seed, budget_s))
            print(f"seed {seed}, {name}: {told[name][-1]['cpu_s']:.0f} s of processor", flush=True)
    truth = truth_of(judged_lake(options.folder, JUDGED_SEED))
    result = {
        "learned": LEARNED,
        "judged": JUDGED,
        "judged_studies": len(truth),
        "recipe": RECIPE,
        "tried": tried,
        **{name: compared(truth, told[OURS], told[name], options.seeds) for name in CONTESTANTS},
    }
    RESULT.write_text(json.dumps(result, indent=1) + "\n")
    for name in CONTESTANTS:
        found = result[name]
        moved = (
            ""
            if name == OURS
            else f", ours {found['ours_above_by']:+.4f} ({found['low']:+.4f} to {found['high']:+.4f})"
        )
        print(f"{name}: mean AUC {found['auc']:.4f}{moved}")


if __name__ == "__main__":
    main()
