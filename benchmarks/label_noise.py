"""How many planted label errors stand in the first tenth of the review queue, beside cleanlab alone, in one run.

Labels of the phantom (reports read by the rules, and tables) are flipped in known cells; the whole step then runs on
the lake's tables. Members are small networks that learned on *other* invented patients; on the flipped labels of four
folds a linear head is fitted to their features, which answers for the fifth: minutes for many seeds where training
networks for each would take days.

Scenarios: ``uniform``: 5 % of all cells; ``uneven``: 0 to 10 % by class; ``missed``: a quarter of present findings is
denied or left out, 1 % of absent ones invented; ``rule``: 2 % of all cells, and in reports one wording for each class
that denies findings which are there, so that it is wrong in about half of its cells. A flipped label rests on what
labels of its new value rest on in the same class, so that nothing but the picture tells it apart; only in ``rule`` does
the wording tell. ``found``: share of the planted errors among the first tenth of all labels that can be doubted.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")
import numpy as np
import pyarrow as pa

sys.path.insert(0, str(Path(__file__).parent))
from training_lake import SIZE_PX, key, write_training_lake

from radia_pipeline.contracts.label_values import MISSING, POSITIVE, has_finding, no_findings, resolve
from radia_pipeline.contracts.pools import TRAIN
from radia_pipeline.contracts.sheets import source_sheet
from radia_pipeline.contracts.tables import conform
from radia_pipeline.contracts.vocabulary import vocabulary
from radia_pipeline.evaluation.panel import Panel, read_out_of_fold, rows_of
from radia_pipeline.labels.origins import base_origins, origins
from radia_pipeline.labels.table import long_table, matrix_of
from radia_pipeline.lake.lake import Lake
from radia_pipeline.phantom.canvas import generator
from radia_pipeline.phantom.layouts.nih_cxr14 import said_by_table
from radia_pipeline.phantom.people import draw_patient
from radia_pipeline.phantom.reports import write_report
from radia_pipeline.readings.confident_learning import confidence
from radia_pipeline.readings.label_grounds import GROUNDS, MENTION, Grounds, asked_classes, grounds_of
from radia_pipeline.readings.queue_order import in_turn
from radia_pipeline.readings.review_queue import Answers, build_review_queue, doubted
from radia_pipeline.reports.extract import extract_mentions
from radia_pipeline.reports.labels import said_from_mentions

RESULT = Path(__file__).parent / "results" / "label_noise.json"
WORLD = Path(".radia/bench_label_noise")
PATIENTS, ELSEWHERE = {"ccsmtl": 900, "nih_cxr14": 600}, {"ccsmtl": 500, "nih_cxr14": 300}
SEED_ELSEWHERE = 41
MEMBERS = ("demo_linear", "demo_pcam")
EPOCHS, BATCH = 8, 32
FIRST = 0.1
COMPONENTS, HEAD_C = 64, 0.01
"""Of a member's features, and the inverse strength of its heads' penalty."""
SCENARIOS = ("uniform", "uneven", "missed", "rule")


# --- the lake: pixels once, tables of unflipped labels ----------------------------------------------------------------
@dataclass(frozen=True)
class Base:
    """Studies of train of one source: ids, patients, folds, what is said (n, 21), and its tables of reports."""

    source: str
    study_id: list[str]
    patient_key: list[str]
    fold: np.ndarray
    said: np.ndarray
    tables: Mapping[str, pa.Table]


def base_of(lake: Lake, scratch: Lake, source: str, patients: int, seed: int) -> Base:
    """Draw the patients again, without pixels: their labels; in ``scratch`` their reports as the rules read them."""
    manifest = lake.read("manifest", source, columns=["study_id", "patient_key", "pool", "fold"]).to_pylist()
    train = {row["study_id"]: row for row in manifest if row["pool"] == TRAIN}
    texts, said = {}, {}
    for number in range(1, patients + 1):
        for study in draw_patient(seed, source, number, SIZE_PX).studies:
            study_id = key(source, number, study.number, "study")
            if study_id not in train:
                continue
            if source == "ccsmtl":
                places = {sign.name: (sign.side, sign.zone) for sign in study.images[0].film.signs}
                texts[study_id] = write_report(places, generator(study.text_seed, "report")).text
            else:
                said[study_id] = said_by_table(study)
    ids = sorted(texts or said)
    rows = [train[study] for study in ids]
    fixed = [row["patient_key"] for row in rows], np.array([row["fold"] for row in rows])
    if not texts:
        values = np.full((len(ids), len(vocabulary().classes)), MISSING, dtype=np.int8)
        for row, study in enumerate(ids):
            for name, value in said[study].items():
                values[row, vocabulary().index(name)] = value
        return Base(source, ids, *fixed, values, {})
    reports = [
        {"source": source, "study_id": study, "patient_key": row["patient_key"], "report_text": texts[study]}
        for study, row in zip(ids, rows)
    ]
    scratch.write("reports", _filled("reports", reports), source)
    extract_mentions(source, scratch, workers=1)
    tables = {name: scratch.read(name, source) for name in ("report_mentions", "report_attributes")}
    return Base(source, ids, *fixed, said_of_reports(tables, ids), tables)


def said_of_reports(tables: Mapping[str, pa.Table], ids: list[str]) -> np.ndarray:
    """Return what reports say: int8 (n, 21)."""
    said = said_from_mentions(tables["report_mentions"], tables["report_attributes"])
    return matrix_of(said, "said", pa.array(ids))


def _filled(table: str, rows: list[dict]) -> pa.Table:
    """Return rows with what the contract asks and this benchmark does not look at."""
    blank = {
        "reports": {"text_sha256": "0" * 64, "text_count": 1},
        "images": {
            "path": "p",
            "pixel_sha256": "0" * 64,
            "file_sha256": "0" * 64,
            "delivered_path": "d",
            "view": "PA",
            "view_origin": "table",
            "width_px": SIZE_PX,
            "height_px": SIZE_PX,
            "original_width_px": SIZE_PX,
            "original_height_px": SIZE_PX,
            "bits_stored": 16,
            "flags": [],
        },
    }
    return conform(table, [{**blank[table], **row} for row in rows])


def put_tables(lake: Lake, base: Base) -> None:
    """Write a source's labels as they follow from what is said, with images and the reports' tables."""
    value = resolve(base.said, source_sheet(base.source).labelled)
    origin = origins(base.said, value, base_origins(base.source, base.said.shape))
    ids, patients = pa.array(base.study_id), pa.array(base.patient_key)
    lake.write("labels", long_table(base.source, ids, patients, base.said, value, origin), base.source)
    for name, table in base.tables.items():
        lake.write(name, table, base.source)
    images = [
        {"source": base.source, "image_id": study, "study_id": study, "patient_key": patient}
        for study, patient in zip(base.study_id, base.patient_key)
    ]
    lake.write("images", _filled("images", images), base.source)


def put_splits(lake: Lake, bases: list[Base]) -> None:
    """Write the pool and fold of every patient."""
    rows = {
        (base.source, patient): {
            "source": base.source,
            "patient_key": patient,
            "group_id": patient,
            "pool": TRAIN,
            "fold": int(fold),
            "reason": "hash",
            "excluded": None,
        }
        for base in bases
        for patient, fold in zip(base.patient_key, base.fold)
    }
    lake.write("splits", list(rows.values()))


# --- planting ---------------------------------------------------------------------------------------------------------
def chances(scenario: str, grounds: Grounds, columns: list[int], rng: np.random.Generator) -> np.ndarray:
    """Return the chance of each cell (n, K) to be flipped."""
    present = grounds.label[:, columns] == POSITIVE
    by_class = np.linspace(0.0, 0.1, len(columns))[np.random.default_rng(len(columns)).permutation(len(columns))]
    return {
        "uniform": np.full(present.shape, 0.05),
        "uneven": np.broadcast_to(by_class, present.shape),
        "missed": np.where(present, 0.25, 0.01),
        "rule": np.full(present.shape, 0.02),
    }[scenario]


def planted(base: Base, grounds: Grounds, scenario: str, rng: np.random.Generator) -> tuple[Base, np.ndarray]:
    """Return a source with flipped labels, and which cells (n, K) were flipped."""
    columns = [vocabulary().index(name) for name in asked_classes()]
    open_ = grounds.is_open[:, columns]
    flipped = open_ & (rng.random(open_.shape) < chances(scenario, grounds, columns, rng))
    donors = [_donors(grounds, column, flipped[:, k], rng) for k, column in enumerate(columns)]
    if scenario == "rule" and base.tables:
        for k, column in enumerate(columns):
            wording, victims = _bad_wording(grounds, column, open_[:, k] & ~flipped[:, k], rng)
            flipped[victims, k] = True
            for victim in victims.tolist():
                donors[k][victim] = int(rng.choice(wording))
    if not base.tables:
        said = base.said.copy()
        for k, column in enumerate(columns):
            mine = flipped[:, k]
            said[mine, column] = np.where(grounds.label[mine, column] == POSITIVE, 0, 1)
        normal = vocabulary().index(vocabulary().no_finding)
        said[:, normal] = no_findings(has_finding(said), np.ones(len(said), bool))
        return replace(base, said=said), flipped
    tables = {**base.tables, "report_mentions": _retold(base, grounds, flipped, donors)}
    return replace(base, said=said_of_reports(tables, base.study_id), tables=tables), flipped


def _donors(grounds: Grounds, column: int, flipped: np.ndarray, rng: np.random.Generator) -> dict[int, int]:
    """Return flipped row → a row that rightly has the other label and lends what it rests on."""
    found: dict[int, int] = {}
    for value in (0, 1):
        givers = np.flatnonzero(grounds.is_open[:, column] & (grounds.label[:, column] == value) & ~flipped)
        takers = np.flatnonzero(flipped & (grounds.label[:, column] == 1 - value))
        if len(givers):
            found |= dict(zip(takers.tolist(), rng.choice(givers, len(takers)).tolist()))
    return found


def _bad_wording(
    grounds: Grounds, column: int, open_: np.ndarray, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Return the rows of one wording that denies, and as many rows of present findings that it will deny."""
    positive = np.flatnonzero(open_ & (grounds.label[:, column] == POSITIVE))
    is_mention = grounds.kind[:, column] == GROUNDS.index(MENTION)
    denied = np.flatnonzero(open_ & is_mention & (grounds.label[:, column] == 0))
    if not len(positive) or not len(denied):
        return np.array([], int), np.array([], int)
    names, counts = np.unique(grounds.name[denied, column], return_counts=True)
    chosen = names[np.argmin(np.abs(counts - 0.25 * len(positive)))]
    wording = denied[grounds.name[denied, column] == chosen]
    return wording, rng.choice(positive, min(len(wording), len(positive) // 2), replace=False)


def _retold(base: Base, grounds: Grounds, flipped: np.ndarray, donors: list[dict[int, int]]) -> pa.Table:
    """Return the mentions after flips: those of a flipped class give way to the deciding one of its donor, if any."""
    rows = base.tables["report_mentions"].to_pylist()
    named = [row for row in rows if row["class"] is not None and row["status"] is not None]
    at = {study: row for row, study in enumerate(base.study_id)}
    asked = asked_classes()
    gone = {(row, asked[k]) for row, k in zip(*np.nonzero(flipped))}
    kept = [row for row in rows if (at.get(row["study_id"], -1), row["class"]) not in gone or row["status"] is None]
    by_key = {(row["study_id"], row["mention_index"]): row for row in named}
    top: dict[str, int] = {}
    for row in rows:
        top[row["study_id"]] = max(top.get(row["study_id"], -1), row["mention_index"])
    for k, name in enumerate(asked):
        for row in np.flatnonzero(flipped[:, k]).tolist():
            giver = donors[k].get(row)
            deciding = -1 if giver is None else grounds.mention[giver, vocabulary().index(name)]
            if deciding < 0:
                continue
            lent = by_key[base.study_id[giver], int(grounds.mention_index[deciding])]
            study = base.study_id[row]
            top[study] = top.get(study, -1) + 1
            kept.append({**lent, "study_id": study, "mention_index": top[study]})
    return conform("report_mentions", kept)


# --- answers out of fold ----------------------------------------------------------------------------------------------
def features(elsewhere: Lake, lake: Lake, member: str) -> dict[str, np.ndarray]:
    """Return study_id → pooled features of a network that learned on other patients; kept beside the lake."""
    import torch

    from radia_pipeline.training import packed
    from radia_pipeline.training.inference import load_classifier
    from radia_pipeline.training.loader import BatchLoader
    from radia_pipeline.training.outcome import Runtime
    from radia_pipeline.training.recipes import load_recipe, with_options
    from radia_pipeline.training.studies import pool_studies, read_manifest
    from radia_pipeline.training.trainer import train

    kept = lake.root / f"features_{member}.npz"
    if not kept.exists():
        torch.set_num_threads(1)
        options = {"training.max_epochs": EPOCHS, "training.batch_size": BATCH, "stopping.patience": EPOCHS}
        recipe = with_options(load_recipe(member), options)
        folder = train(recipe, elsewhere, runtime=Runtime(workers=1)).model_dir
        model = load_classifier(folder)
        manifest, _ = read_manifest(lake, None)
        images = packed.pack(lake, packed.wanted_of_manifest(lake, manifest), recipe.input.size_px)
        studies = pool_studies(manifest, recipe, TRAIN, images.row_of_image)
        rows = []
        with torch.no_grad():
            for batch in BatchLoader(studies, images, recipe, workers=1).evaluation():
                rows.append(_pooled(model, batch))
        np.savez(kept, study_id=studies.study_id.astype(str), x=np.concatenate(rows))
    found = np.load(kept)
    return dict(zip(found["study_id"].tolist(), found["x"]))


def _pooled(model, batch) -> np.ndarray:
    """Return mean and largest feature of each study's views, averaged over the views that are there."""
    maps = model.feature_map(batch.images[batch.present])
    pooled = np.concatenate([maps.mean((2, 3)).numpy(), maps.amax((2, 3)).numpy()], axis=1)
    out, count = np.zeros((len(batch.present), pooled.shape[1])), batch.present.sum(1).numpy()
    np.add.at(out, np.nonzero(batch.present.numpy())[0], pooled)
    return out / count[:, None]


def heads(x: np.ndarray, label: np.ndarray, fold: np.ndarray) -> np.ndarray:
    """Return logits (n, K), each study's of heads that were fitted on the other folds' labels."""
    from sklearn.linear_model import LogisticRegression

    x = (x - x.mean(0)) / (x.std(0) + 1e-9)
    x = np.linalg.svd(x, full_matrices=False)[0][:, :COMPONENTS] * np.sqrt(len(x))
    out = np.full(label.shape, np.nan)
    for k in range(label.shape[1]):
        y = label[:, k]
        for number in np.unique(fold):
            fitted, judged = (fold != number) & np.isin(y, (0, 1)), fold == number
            if len(np.unique(y[fitted])) == 2:
                model = LogisticRegression(C=HEAD_C, max_iter=300).fit(x[fitted], y[fitted])
                out[judged, k] = model.decision_function(x[judged])
    return out


def put_answers(lake: Lake, member: str, bases: list[Base], x: Mapping[str, np.ndarray]) -> np.ndarray:
    """Write what a member says out of fold of the labels that stand in the lake; returns its AUC by class."""
    words = vocabulary()
    studies = [
        (base.source, study, patient, fold)
        for base in bases
        for study, patient, fold in zip(base.study_id, base.patient_key, base.fold)
        if study in x
    ]
    source, study_id, patient, fold = (np.array(part) for part in zip(*studies))
    label = np.full((len(studies), len(words.classes)), MISSING, dtype=np.int8)
    for base in bases:
        mine = source == base.source
        label[mine] = grounds_of(lake, base.source, study_id[mine].tolist()).label
    columns = [words.index(name) for name in asked_classes()]
    logits = np.full(label.shape, np.nan)
    logits[:, columns] = heads(np.stack([x[study] for study in study_id.tolist()]), label[:, columns], fold)
    panel = Panel(
        source.astype(object),
        study_id.astype(object),
        patient.astype(object),
        patient.astype(object),
        np.array([TRAIN] * len(studies), dtype=object),
        np.ones(len(studies), int),
        logits,
        1 / (1 + np.exp(-logits)),
        np.where(np.isin(label, (0, 1)), label, -9),
        np.zeros(len(studies), bool),
    )
    table = rows_of(panel, member).drop_columns(["is_held"])
    fold_of = dict(zip(study_id.tolist(), fold.tolist()))
    folds = pa.array([fold_of[study] for study in table["study_id"].to_pylist()], pa.int8())
    lake.write("predictions_out_of_fold", table.append_column("fold", folds), member)


# --- judging ----------------------------------------------------------------------------------------------------------
def judged(lake: Lake, bases: list[Base], flipped: Mapping[str, np.ndarray], before: Mapping[str, Grounds]) -> dict:
    """Run the step on a lake and say what stands in the first tenth, of ours and of cleanlab alone."""
    started = time.perf_counter()
    result = build_review_queue(lake)
    seconds = time.perf_counter() - started
    queue = lake.read("label_review_queue").sort_by("position")
    answers = Answers.of(result.models, [read_out_of_fold(lake, name) for name in result.models])
    doubts = doubted(lake, answers, set())
    columns = [vocabulary().index(name) for name in asked_classes()]
    was, planted_cells = np.full(doubts.label.shape, MISSING, np.int8), np.zeros(doubts.label.shape, bool)
    for base in bases:
        row_of = {study: row for row, study in enumerate(base.study_id)}
        mine = np.flatnonzero(answers.source == base.source)
        rows = [row_of[study] for study in answers.study_id[mine].tolist()]
        was[mine] = before[base.source].label[rows][:, columns]
        planted_cells[mine] = flipped[base.source][rows]
    changed = doubts.is_open & np.isin(was, (0, 1)) & (was != doubts.label)
    target = planted_cells & changed
    first = round(FIRST * int(doubts.is_open.sum()))
    order = in_turn(doubts.urgency, doubts.is_open)
    place = {cell: number for number, cell in enumerate(zip(queue["study_id"].to_pylist(), queue["class"].to_pylist()))}
    ours = [place.get((answers.study_id[row], asked_classes()[k]), len(order)) for row, k in zip(*np.nonzero(target))]
    alone = confidence(answers.probability, np.where(doubts.is_open, doubts.label, -1))

    def share(ranked: np.ndarray, of: np.ndarray = target) -> float:
        return round(float(of.reshape(-1)[ranked[:first]].sum() / of.sum()), 4)

    def worst_first(doubt: np.ndarray) -> np.ndarray:
        flat = np.flatnonzero(doubts.is_open & np.isfinite(doubt))
        return flat[np.argsort(-doubt.reshape(-1)[flat], kind="stable")]

    issues = alone.is_issue & doubts.is_open
    return {
        "cells": len(order),
        "planted": int(target.sum()),
        "planted_share": round(float(target.sum() / len(order)), 4),
        "followed": int((changed & ~planted_cells).sum()),
        "found": round(float(np.mean(np.array(ours) < first)), 4),
        "found_worst_first": share(worst_first(doubts.urgency)),
        "cleanlab_worst_first": share(worst_first(1 - alone.quality)),
        "cleanlab_in_turn": share(in_turn(1 - alone.quality, doubts.is_open)),
        "cleanlab_adjusted": share(worst_first(1 - _adjusted(answers.probability, doubts))),
        "cleanlab_issues": {
            "called": int(issues.sum()),
            "right": int((issues & target).sum()),
            "ours_right_in_as_many": int(target.reshape(-1)[order[: int(issues.sum())]].sum()),
        },
        "found_of_all_changed": share(order, changed),
        "expected_wrong": result.expected_wrong,
        "least_found_class": _least(order[:first], target),
        "cleanlab_least_found_class": _least(worst_first(1 - alone.quality)[:first], target),
        "step_s": round(seconds, 2),
    }


def _adjusted(probability: np.ndarray, doubts) -> np.ndarray:
    """Return cleanlab's quality with its confident thresholds by class."""
    from cleanlab.rank import get_label_quality_scores

    out = np.full(doubts.label.shape, np.nan)
    for k in range(out.shape[1]):
        mine = doubts.is_open[:, k] & np.isfinite(probability[:, k])
        y = (doubts.label[mine, k] == POSITIVE).astype(int)
        if 0 < y.sum() < len(y):
            p = probability[mine, k]
            out[mine, k] = get_label_quality_scores(y, np.column_stack([1 - p, p]), adjust_pred_probs=True)
    return out


def _least(first: np.ndarray, target: np.ndarray) -> float:
    """Return the share that is found of the class of which least is found, among those with ten planted and more."""
    there = np.zeros(target.size, bool)
    there[first] = True
    counts, found = target.sum(0), (target & there.reshape(target.shape)).sum(0)
    return round(float((found[counts >= 10] / counts[counts >= 10]).min()), 4)


def one_run(folder: Path, bases: list[Base], x: Mapping[str, Mapping], scenario: str, seed: int) -> dict:
    """Plant, answer, queue and judge once, in a lake of its own."""
    rng = np.random.default_rng([seed, int(hashlib.sha256(scenario.encode()).hexdigest()[:8], 16)])
    lake, before, flipped, after = Lake.open(folder), {}, {}, []
    put_splits(lake, bases)
    for base in bases:
        put_tables(lake, base)
        before[base.source] = grounds_of(lake, base.source, base.study_id)
        changed, flipped[base.source] = planted(base, before[base.source], scenario, rng)
        put_tables(lake, changed)
        after.append(changed)
    for member, found in x.items():
        put_answers(lake, member, after, found)
    return {"scenario": scenario, "seed": seed, **judged(lake, after, flipped, before)}


def summary(lines: list[dict]) -> dict[str, dict]:
    """Return by scenario the means, the least found, and in how many runs ours found no fewer than cleanlab alone."""
    out = {}
    for scenario in dict.fromkeys(line["scenario"] for line in lines):
        mine = [line for line in lines if line["scenario"] == scenario]
        names = (
            "found",
            "found_worst_first",
            "cleanlab_worst_first",
            "cleanlab_in_turn",
            "cleanlab_adjusted",
            "least_found_class",
            "cleanlab_least_found_class",
            "planted_share",
        )
        best = [max(line[name] for name in names[2:5]) for line in mine]
        out[scenario] = {
            "runs": len(mine),
            **{name: round(float(np.mean([line[name] for line in mine])), 4) for name in names},
            "least_found": min(line["found"] for line in mine),
            "runs_no_fewer_than_cleanlab": sum(line["found"] >= line["cleanlab_worst_first"] for line in mine),
            "runs_no_fewer_than_the_best_of_cleanlab": sum(line["found"] >= one for line, one in zip(mine, best)),
        }
    return out


def main() -> None:
    """Run, print and keep the result."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--patients", type=int, default=0, help="Seed of the invented patients.")
    parser.add_argument("--seeds", type=int, nargs="+", default=list(range(5)), help="Of what is planted.")
    parser.add_argument("--scenarios", nargs="+", choices=SCENARIOS, default=list(SCENARIOS))
    options = parser.parse_args()
    elsewhere = write_training_lake(WORLD / "elsewhere", ELSEWHERE, seed=SEED_ELSEWHERE)
    lake = write_training_lake(WORLD / f"lake_{options.patients}", PATIENTS, seed=options.patients)
    x = {member: features(elsewhere, lake, member) for member in MEMBERS}
    with tempfile.TemporaryDirectory() as scratch:
        reports = Lake.open(Path(scratch) / "r")
        bases = [base_of(lake, reports, source, count, options.patients) for source, count in PATIENTS.items()]
        lines = []
        for seed in options.seeds:
            for scenario in options.scenarios:
                line = {"patients": options.patients, **one_run(Path(scratch) / "lake", bases, x, scenario, seed)}
                shutil.rmtree(Path(scratch) / "lake")
                lines.append(line)
                print(json.dumps(line), flush=True)
                keep(lines)
    print(json.dumps(summary(lines), indent=1))


def keep(lines: list[dict]) -> None:
    """Write what there is so far: a benchmark that is stopped loses nothing."""
    found = {"load_1min": round(os.getloadavg()[0], 1), "summary": summary(lines), "runs": lines}
    RESULT.write_text(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    main()
