"""Pools beside other ways of splitting: time, prevalence gap, patients on both sides, patients moved after 11 % growth.

Run: ``.venv/bin/python benchmarks/splits.py [--table Data_Entry.csv.gz] [--rows 1000000]``, then ``--chain``.
Reads NIH's full label table (default ../shared/real/tables); without it, invented labels of the same size. All methods
are measured in one run on one core, in seconds of CPU, so that other work on the machine does not count; ``--chain``
times groups, pools, evaluation sets and manifest in a lake of that table, by CPU and by the clock. Iterative
stratification is written out here.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import tempfile
import time
import warnings
from collections.abc import Callable
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
import pyarrow as pa

from radia_pipeline.cohort.evaluation_sets import build_evaluation_sets
from radia_pipeline.cohort.groups import group_of
from radia_pipeline.cohort.manifest import build_manifest
from radia_pipeline.cohort.placement import Patients, SplitPolicy, place
from radia_pipeline.cohort.splits import build_splits
from radia_pipeline.contracts.pools import TEST
from radia_pipeline.labels.build import build_labels
from radia_pipeline.lake.keys import Pseudonymizer
from radia_pipeline.lake.lake import Lake
from radia_pipeline.sources.nih_cxr14 import NihCxr14

HERE = Path(__file__).resolve().parent
TEST_SHARE = 0.1
GROWTH = 0.11
SEED = 0
Splitter = Callable[[np.ndarray, np.ndarray], np.ndarray]
"""Patients (n,) and labels (n, classes) → bool (n,): which rows are test."""


def read_rows(table: Path | None) -> tuple[np.ndarray, np.ndarray]:
    """Return patients as 32-character keys (n,) and labels bool (n, 14) of NIH's table, or invented ones."""
    if table is None or not table.exists():
        return invented(112_120)
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        (root / "Data_Entry_2017_v2020.csv.gz").symlink_to(table.resolve())
        source = NihCxr14()
        said = source.labels(root).table
    classes = sorted(set(said.column("class").to_pylist()[:40]))
    values = said.column("said").to_numpy().reshape(-1, len(classes)) == 1
    patients = np.array(said.column("native_patient_id").to_pylist()[:: len(classes)])
    keyed = {name: hashlib.sha256(name.encode()).hexdigest()[:32] for name in set(patients.tolist())}
    return np.array([keyed[name] for name in patients.tolist()]), values


def invented(rows: int) -> tuple[np.ndarray, np.ndarray]:
    """Return patients with a long tail of images and 14 rare, correlated labels."""
    rng = np.random.default_rng(SEED)
    sizes = rng.geometric(0.275, rows)
    patients = np.repeat(np.arange(rows), sizes)[:rows]
    keys = np.array([hashlib.sha256(b"%d" % number).hexdigest()[:32] for number in range(patients.max() + 1)])
    base = np.array([0.002, 0.01, 0.013, 0.02, 0.022, 0.025, 0.03, 0.042, 0.047, 0.05, 0.056, 0.1, 0.12, 0.18])
    sickness = rng.lognormal(0.0, 0.6, patients.max() + 1)[patients]
    return keys[patients], rng.random((rows, 14)) < base * sickness[:, None]


def repeated(patients: np.ndarray, labels: np.ndarray, rows: int) -> tuple[np.ndarray, np.ndarray]:
    """Return at least ``rows`` rows: copies of the table with new patients."""
    times = -(-rows // len(patients))
    parts = [np.char.add(patients.astype("U32"), f"-{copy}") for copy in range(times)]
    names, codes = np.unique(np.concatenate(parts), return_inverse=True)
    keys = np.array([hashlib.sha256(name.encode()).hexdigest()[:32] for name in names.tolist()])
    return keys[codes][:rows], np.tile(labels, (times, 1))[:rows]


def ours(patients: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Salted hash of groups."""
    keys, codes = np.unique(patients, return_inverse=True)
    keys = keys.tolist()
    everybody = Patients(keys, ["nih_cxr14"] * len(keys), group_of(keys, []).tolist())
    placements = place(everybody, {}, SplitPolicy())
    pool = {placement.patient_key: placement.pool == TEST for placement in placements}
    return np.array([pool[key] for key in keys])[codes]


def group_shuffle(patients: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """scikit-learn's GroupShuffleSplit."""
    from sklearn.model_selection import GroupShuffleSplit

    splitter = GroupShuffleSplit(n_splits=1, test_size=TEST_SHARE, random_state=SEED)
    return _mask(len(patients), next(splitter.split(patients, groups=patients))[1])


def stratified_group(patients: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """scikit-learn's StratifiedGroupKFold on each row's rarest label (it takes one class a row)."""
    from sklearn.model_selection import StratifiedGroupKFold

    order = np.argsort(labels.sum(axis=0))
    ranked = labels[:, order]
    rarest = np.where(ranked.any(axis=1), ranked.argmax(axis=1), labels.shape[1])
    splitter = StratifiedGroupKFold(n_splits=10, shuffle=True, random_state=SEED)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return _mask(len(patients), next(splitter.split(patients, rarest, groups=patients))[1])


def iterative_stratification(patients: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Iterative stratification of rows (Sechidis et al. 2011, algorithm 1), as the package of that name does it."""
    rng = np.random.default_rng(SEED)
    shares = np.array([1 - TEST_SHARE, TEST_SHARE])
    desired = labels.sum(axis=0)[:, None] * shares
    room = len(labels) * shares
    side = np.full(len(labels), -1, dtype=np.int8)
    order = rng.permutation(len(labels))
    remaining = labels.sum(axis=0)
    while remaining.max(initial=0) > 0:
        rare = int(np.where(remaining > 0, remaining, np.iinfo(np.int64).max).argmin())
        for row in order[(side[order] < 0) & labels[order, rare]].tolist():
            wish = desired[rare]
            chosen = int(wish[1] > wish[0] or (wish[1] == wish[0] and room[1] > room[0]))
            side[row] = chosen
            desired[labels[row], chosen] -= 1
            room[chosen] -= 1
        remaining = labels[side < 0].sum(axis=0)
    free = order[side[order] < 0]
    side[free] = 0
    side[free[: max(0, round(room[1]))]] = 1
    return side == 1


def _mask(count: int, places: np.ndarray) -> np.ndarray:
    mask = np.zeros(count, dtype=bool)
    mask[places] = True
    return mask


METHODS: dict[str, Splitter] = {
    "salted hash of groups (ours)": ours,
    "GroupShuffleSplit": group_shuffle,
    "StratifiedGroupKFold": stratified_group,
    "iterative stratification": iterative_stratification,
}


def measure(split: Splitter, patients: np.ndarray, labels: np.ndarray) -> dict[str, float]:
    """Return a method's figures; before growth it sees the patients without the last-hashed 11 %."""
    names, codes = np.unique(patients, return_inverse=True)
    early_names = np.random.default_rng(1).random(len(names)) < 1 / (1 + GROWTH)
    early = early_names[codes]
    before = split(patients[early], labels[early])
    started = time.process_time()
    test = split(patients, labels)
    seconds = time.process_time() - started
    old_test, new_test = set(patients[early][before].tolist()), set(patients[test].tolist())
    gap = np.abs(labels[test].mean(axis=0) - labels.mean(axis=0)) / labels.mean(axis=0)
    return {
        "cpu seconds": round(seconds, 3),
        "test share": round(float(test.mean()), 4),
        "largest relative prevalence gap": round(float(gap.max()), 4),
        "mean relative prevalence gap": round(float(gap.mean()), 4),
        "patients on both sides": len(new_test & set(patients[~test].tolist())),
        "old test patients moved out after growth": round(1 - len(old_test & new_test) / len(old_test), 4),
    }


def chain(table: Path) -> dict[str, float]:
    """Return seconds of groups and pools, sets and manifest in a lake that holds NIH's full table."""
    source, keys = NihCxr14(), Pseudonymizer(b"benchmark key, not a secret")
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder) / "nih"
        root.mkdir()
        (root / "Data_Entry_2017_v2020.csv.gz").symlink_to(table.resolve())
        lake = Lake.open(Path(folder) / "lake")
        lake.write("images", image_rows(source, root, keys), source.name)
        build_labels(source, root, lake, keys, {})
        steps = {
            "groups and pools": lambda: build_splits(lake),
            "evaluation sets": lambda: build_evaluation_sets(lake),
            "manifest": lambda: build_manifest(source.name, lake),
        }
        seconds = {}
        for name, step in steps.items():
            started, busy = time.perf_counter(), time.process_time()
            step()
            seconds[name] = round(time.perf_counter() - started, 2)
            seconds[f"{name}, cpu"] = round(time.process_time() - busy, 2)
        seconds["together"] = round(sum(seconds[name] for name in steps), 2)
        seconds["together, cpu"] = round(sum(seconds[f"{name}, cpu"] for name in steps), 2)
        return seconds


def image_rows(source: NihCxr14, root: Path, keys: Pseudonymizer) -> pa.Table:
    """Return an ``images`` table as ingest would write it for every row of the label table, without pixels."""
    said = source.labels(root).table
    width = len(set(said.column("class").to_pylist()[:40]))
    studies = said.column("native_study_id").to_pylist()[::width]
    patients = said.column("native_patient_id").to_pylist()[::width]
    count = len(studies)
    ids = [keys.image_id(source.name, f"{study}.png") for study in studies]
    digests = [hashlib.sha256(study.encode()).hexdigest() for study in studies]
    patient_of = {name: keys.patient_key(source.name, name) for name in set(patients)}
    constant = {
        "width_px": (1024, pa.int32()),
        "height_px": (1024, pa.int32()),
        "original_width_px": (1024, pa.int32()),
        "original_height_px": (1024, pa.int32()),
        "bits_stored": (8, pa.int16()),
    }
    return pa.table(
        {
            "source": [source.name] * count,
            "image_id": ids,
            "study_id": [keys.study_id(source.name, s) for s in studies],
            "patient_key": [patient_of[name] for name in patients],
            "path": [f"pixels/{i[:2]}/{i}.png" for i in ids],
            "pixel_sha256": digests,
            "file_sha256": digests,
            "delivered_path": studies,
            "view": ["PA"] * count,
            "view_origin": ["table"] * count,
            **{name: pa.array([value] * count, kind) for name, (value, kind) in constant.items()},
            "flags": pa.array([[]] * count, pa.list_(pa.string())),
        }
    )


def compare(patients: np.ndarray, labels: np.ndarray) -> dict[str, dict[str, float]]:
    """Return every method's figures on one table, printed as they come."""
    found = {}
    for name, split in METHODS.items():
        found[name] = measure(split, patients, labels)
        print(f"{len(patients):,} rows, {name}:", json.dumps(found[name]), flush=True)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    tables = HERE.parents[1] / "shared" / "real" / "tables"
    parser.add_argument("--table", type=Path, default=tables / "Data_Entry_2017_v2020.csv.gz")
    parser.add_argument("--rows", type=int, default=1_000_000, help="rows of the second, larger run; 0: none")
    parser.add_argument("--chain", action="store_true", help="only the chain; needs a quiet machine")
    arguments = parser.parse_args()
    if arguments.chain:
        result: dict = {"chain": chain(arguments.table)}
        print("chain", json.dumps(result["chain"]), flush=True)
    else:
        small = read_rows(arguments.table)
        result = {"rows": len(small[0]), "patients": len(set(small[0].tolist())), "methods": compare(*small)}
        if arguments.rows:
            large = repeated(*small, arguments.rows)
            result |= {"large rows": len(large[0]), "large patients": len(set(large[0].tolist()))}
            result["large"] = compare(*large)
    path = HERE / "results" / "splits.json"
    kept = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    path.write_text(json.dumps(kept | result, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
