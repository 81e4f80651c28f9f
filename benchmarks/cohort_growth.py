"""How the steps of labels and cohort grow: 100,000 and 1,000,000 invented images, each step in a process of its own.

    python benchmarks/cohort_growth.py [--rows 100000 1000000] [--before REVISION] [--step NAME …]

A lake without pixels is written: a hospital's images with reports already read (mentions, attributes), 2 images to a
patient and 1.2 to a study on average, and beside it NIH's published table with as many rows. Then the real steps run
in the order of the pipeline. Kept are seconds of processor and clock without imports, the most memory that the process
held (VmHWM), the data version of what was written, and both ratios between the sizes. ``--before``: an earlier release
runs the steps instead, on a copy of the same lake (``--made``); the data versions of both are compared.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import pyarrow as pa

sys.path.insert(0, str(Path(__file__).parent))

from lake_cost import earlier

ROOT = Path(__file__).resolve().parents[1]
RESULT = Path(__file__).parent / "results" / "cohort_growth.json"
HOSPITAL, TABLE = "ccsmtl", "nih_cxr14"
KEY = b"benchmark key, not a secret"
STUDIES_OF_AN_IMAGE, PATIENTS_OF_AN_IMAGE = 0.84, 0.5
GOAL_RATIO, GOAL_GB = 11.0, 2.0
IMPORTS = """
import json, resource, sys, time
from pathlib import Path
import numpy, pyarrow, pyarrow.compute, pyarrow.parquet, duckdb, scipy.stats
from radia_pipeline.lake.keys import Pseudonymizer
from radia_pipeline.lake.lake import Lake
from radia_pipeline.labels.build import build_labels
from radia_pipeline.cohort.links import build_image_links
from radia_pipeline.cohort.splits import build_splits
from radia_pipeline.cohort.evaluation_sets import build_evaluation_sets
from radia_pipeline.cohort.manifest import build_manifest
from radia_pipeline.cohort.profile import build_data_profile
from radia_pipeline.contracts.tables import contract, contract_names
from radia_pipeline.contracts.sheets import known_sources, source_sheet
[contract(name).schema for name in contract_names()] + [source_sheet(name) for name in known_sources()]
lake, delivery, keys = Lake(Path(sys.argv[1])), Path(sys.argv[2]), Pseudonymizer(sys.argv[3].encode())
"""
MEASURED = """
held = lambda name: next(int(l.split()[1]) for l in open('/proc/self/status') if l.startswith(name)) / 1e6
busy, clock, was = time.process_time(), time.perf_counter(), held("VmHWM")
result = {step}
print(json.dumps({{"cpu s": time.process_time() - busy, "clock s": time.perf_counter() - clock,
                   "peak GB": held("VmHWM"), "imports GB": was, "version": result.version}}))
"""
STEPS = {
    "labels of a table": f'build_labels("{TABLE}", delivery, lake, keys, {{}})',
    "labels of reports": f'build_labels("{HOSPITAL}", None, lake, keys, {{}})',
    "labels again": f'build_labels("{HOSPITAL}", None, lake, keys, {{}})',
    "links": "build_image_links(lake)",
    "pools": "build_splits(lake)",
    "pools again": "build_splits(lake)",
    "evaluation sets": "build_evaluation_sets(lake)",
    "manifest": f'build_manifest("{HOSPITAL}", lake)',
    "profile": "build_data_profile(lake)",
}
"""In order, each on what the ones before it wrote; ``again``: with what was published or placed before."""


def hashes(tag: str, count: int, characters: int = 32) -> pa.Array:
    """Return that many hexadecimal texts that look like keyed ids, the same for the same tag."""
    rng = np.random.default_rng(list(tag.encode()))
    raw = rng.integers(0, 256, (count, characters // 2), dtype=np.uint8)
    text = raw.tobytes().hex()
    offsets = np.arange(count + 1, dtype=np.int32) * characters
    return pa.StringArray.from_buffers(count, pa.py_buffer(offsets), pa.py_buffer(text.encode()))


def same(value: object, count: int, kind: pa.DataType | None = None) -> pa.Array:
    """Return one value so many times."""
    return pa.repeat(pa.scalar(value, kind), count)


def make_hospital(root: Path, rows: int) -> None:
    """Write ``images``, ``reports``, ``report_mentions`` and ``report_attributes`` of a hospital that has no pixels."""
    from radia_pipeline.contracts.vocabulary import vocabulary
    from radia_pipeline.lake.lake import Lake

    lake, rng = Lake.open(root), np.random.default_rng(1)
    studies, patients = int(rows * STUDIES_OF_AN_IMAGE), int(rows * PATIENTS_OF_AN_IMAGE)
    patient_of = np.sort(np.concatenate([np.arange(patients), rng.integers(0, patients, studies - patients)]))
    study_of = np.sort(np.concatenate([np.arange(studies), rng.integers(0, studies, rows - studies)]))
    study_ids = hashes("studies", studies)
    keys = hashes("patients", patients).take(pa.array(patient_of))
    image_ids, pixels = hashes("images", rows), hashes("pixels", rows, 64)
    again = rng.permutation(rows)[: rows // 200]  # one in 200 came under another patient too
    digests = np.arange(rows)
    digests[again] = rng.integers(0, rows, len(again))
    whole = same(1024, rows, pa.int32())
    lake.write(
        "images",
        pa.table(
            {
                "source": same(HOSPITAL, rows),
                "image_id": image_ids,
                "study_id": study_ids.take(pa.array(study_of)),
                "patient_key": keys.take(pa.array(study_of)),
                "path": image_ids,
                "pixel_sha256": pixels.take(pa.array(digests)),
                "file_sha256": pixels,
                "delivered_path": image_ids,
                "view": same("PA", rows),
                "view_origin": same("table", rows),
                "width_px": whole,
                "height_px": whole,
                "original_width_px": whole,
                "original_height_px": whole,
                "bits_stored": same(12, rows, pa.int16()),
                "flags": same([], rows, pa.list_(pa.string())),
                "patient_age_years": pa.array(rng.integers(18, 95, rows).astype(float)),
                "patient_sex": pa.array(["F", "M"]).take(pa.array(rng.integers(0, 2, rows))),
                "manufacturer": pa.array(["A", "B", "C"]).take(pa.array(rng.integers(0, 3, rows))),
            }
        ),
        HOSPITAL,
    )
    lake.write(
        "reports",
        pa.table(
            {
                "source": same(HOSPITAL, studies),
                "study_id": study_ids,
                "patient_key": keys,
                "report_text": same("Poumons clairs.", studies),
                "text_sha256": hashes("texts", studies, 64),
                "text_count": same(1, studies, pa.int32()),
            }
        ),
        HOSPITAL,
    )
    yes, no = same(True, studies), same(False, studies)
    lake.write(
        "report_attributes",
        pa.table(
            {
                "source": same(HOSPITAL, studies),
                "study_id": study_ids,
                "has_findings_text": yes,
                "is_unlabelled": no,
                "is_signed_unread": no,
                "is_concordance_impossible": no,
                "is_quality_limited": pa.array(rng.random(studies) < 0.05),
                "is_reference_only": no,
                "has_open_question": no,
                "has_other_abnormality": pa.array(rng.random(studies) < 0.2),
                "mention_count": same(3, studies, pa.int32()),
                "unread_count": same(0, studies, pa.int32()),
                "repaired": same(0, studies, pa.int32()),
                "devices": same("", studies),
                "misplaced_devices": same("", studies),
                "engine_version": same("1", studies),
            }
        ),
        HOSPITAL,
    )
    del image_ids, pixels, whole
    mentions, names = 3 * studies, pa.array(vocabulary().pathologies)
    kinds = pa.array(rng.choice(len(names), mentions, p=np.arange(1, 15) / 105))
    lake.write(
        "report_mentions",
        pa.table(
            {
                "source": same(HOSPITAL, mentions),
                "study_id": study_ids.take(pa.array(np.repeat(np.arange(studies), 3))),
                "mention_index": pa.array(np.tile(np.arange(3, dtype=np.int32), studies)),
                "concept": names.take(kinds),
                "class": names.take(kinds),
                "status": pa.array(rng.choice([-1, 0, 0, 0, 1, 1], mentions).astype(np.int8)),
                "section": pa.array(["findings", "findings", "indication"]).take(
                    pa.array(rng.integers(0, 3, mentions))
                ),
                "sentence": same("Poumons clairs.", mentions),
                "span_start": same(0, mentions, pa.int32()),
                "span_end": same(7, mentions, pa.int32()),
                "rule_id": same("rule", mentions),
            }
        ),
        HOSPITAL,
    )


def make_table(lake_root: Path, delivery: Path, rows: int) -> None:
    """Write a delivery in NIH's published layout, and its ``images`` as ingest would key them."""
    from radia_pipeline.contracts.vocabulary import vocabulary
    from radia_pipeline.lake.keys import Pseudonymizer
    from radia_pipeline.lake.lake import Lake

    rng, keys = np.random.default_rng(2), Pseudonymizer(KEY)
    lake = Lake.open(lake_root)
    patients = np.sort(rng.integers(1, rows // 3 + 2, rows))
    first = np.flatnonzero(np.r_[True, np.diff(patients) > 0])
    numbers = np.arange(rows) - np.repeat(first, np.diff(np.r_[first, rows]))
    words = [name for name in vocabulary().pathologies if name in ("Cardiomegaly", "Emphysema", "Mass", "Nodule")]
    texts = ["No Finding", *words, "|".join(words[:2])]
    said = rng.choice(len(texts), rows, p=[0.5, *[0.1] * (len(texts) - 1)]).tolist()
    delivery.mkdir(parents=True)
    with (delivery / "Data_Entry_2017_v2020.csv").open("w", encoding="utf-8") as file:
        file.write("Image Index,Finding Labels,Follow-up #,Patient ID,Patient Age,Patient Gender,View Position\n")
        file.writelines(
            f"{p:08d}_{n:03d}.png,{texts[s]},{n},{p},50,F,PA\n"
            for p, n, s in zip(patients.tolist(), numbers.tolist(), said)
        )
    count = rows
    key_of = {p: keys.patient_key(TABLE, str(p)) for p in set(patients.tolist())}
    studies = [keys.study_id(TABLE, f"{p:08d}_{n:03d}") for p, n in zip(patients.tolist(), numbers.tolist())]
    ids, digests, whole = hashes("nih", count), hashes("nih pixels", count, 64), same(1024, count, pa.int32())
    lake.write(
        "images",
        pa.table(
            {
                "source": same(TABLE, count),
                "image_id": ids,
                "study_id": pa.array(studies),
                "patient_key": pa.array([key_of[p] for p in patients.tolist()]),
                "path": ids,
                "pixel_sha256": digests,
                "file_sha256": digests,
                "delivered_path": ids,
                "view": same("PA", count),
                "view_origin": same("table", count),
                "width_px": whole,
                "height_px": whole,
                "original_width_px": whole,
                "original_height_px": whole,
                "bits_stored": same(8, count, pa.int16()),
                "flags": same([], count, pa.list_(pa.string())),
            }
        ),
        TABLE,
    )


def run(step: str, checkout: Path, lake: Path, delivery: Path) -> dict:
    """Run one step in a process of its own and return its figures."""
    code = IMPORTS + MEASURED.format(step=STEPS[step])
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code, str(lake), str(delivery), KEY.decode()],
        cwd=checkout,
        env={**os.environ, "PYTHONPATH": str(checkout)},
        capture_output=True,
        text=True,
    )
    if done.returncode:
        return {"failed": done.stderr.splitlines()[-1] if done.stderr else f"exit {done.returncode}"}
    return {
        name: round(value, 3) if isinstance(value, float) else value
        for name, value in json.loads(done.stdout.splitlines()[-1]).items()
    }


def chain(checkout: Path, made: Path, folder: Path, steps: list[str]) -> dict[str, dict]:
    """Run the steps one after the other on copies of the lakes, and return the figures of each."""
    for name in ("hospital", "table"):
        if not (folder / name).exists():
            shutil.copytree(made / name, folder / name)
    found = {}
    for step in steps:
        lake = folder / ("table" if step == "labels of a table" else "hospital")
        found[step] = run(step, checkout, lake, made / "delivery")
        print(f"{step}: {json.dumps(found[step])}", flush=True)
    return found


def compared(small: dict, large: dict) -> dict[str, dict]:
    """Return, for each step, how time and memory grew."""
    return {
        step: {
            "cpu ratio": round(large[step]["cpu s"] / small[step]["cpu s"], 2),
            "clock ratio": round(large[step]["clock s"] / small[step]["clock s"], 2),
            "peak GB": large[step]["peak GB"],
        }
        for step in small
        if "version" in small[step] and "version" in large.get(step, {})
    }


def agreeing(before: dict, after: dict) -> dict[str, dict[str, bool]]:
    """Tell of each size and step whether both releases wrote the same data version."""
    return {
        rows: {
            step: one["version"] == after[rows][step].get("version")
            for step, one in before[rows].items()
            if "version" in one and step in after[rows]
        }
        for rows in before
        if rows in after and rows.isdigit()
    }


def main() -> None:
    """Make, measure, keep, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, nargs="*", default=[100_000, 1_000_000])
    parser.add_argument("--before", help="also an earlier revision, on a copy of the same lake")
    parser.add_argument("--step", action="append", choices=STEPS, help="only these; what they stand on must be there")
    parser.add_argument("--made", type=Path, help="keep the invented lakes here and use those that are there")
    parser.add_argument("--work", type=Path, help="run in this folder and go on with what earlier steps left there")
    given = parser.parse_args()
    side, found = "before" if given.before else "after", {}
    with tempfile.TemporaryDirectory() as name:
        checkout = earlier(given.before, Path(name) / "checkout") if given.before else ROOT
        for rows in given.rows:
            made = (given.made or Path(name) / "made") / str(rows)
            if not (made / "hospital").exists():
                make_hospital(made / "hospital", rows)
            if not (made / "table").exists():
                make_table(made / "table", made / "delivery", rows)
            print(f"{rows:,} rows, {side}", flush=True)
            folder = (given.work or Path(name) / "work") / side / str(rows)
            found[str(rows)] = chain(checkout, made, folder, given.step or list(STEPS))
    result: dict = json.loads(RESULT.read_text(encoding="utf-8")) if RESULT.exists() else {}
    result["goal"] = {"ratio for 10 times": GOAL_RATIO, "peak GB": GOAL_GB}
    known = result.setdefault(side, {})
    for rows, steps in found.items():
        known[rows] = {**known.get(rows, {}), **steps}
    known["load average"] = round(os.getloadavg()[0], 1)
    sizes = sorted((rows for rows in known if rows.isdigit()), key=int)
    result[f"growth {side}"] = {
        f"{small} to {large}": compared(known[small], known[large])
        for small, large in ((sizes[0], other) for other in sizes[1:])
    }
    if {"before", "after"} <= result.keys():
        result["same versions"] = agreeing(result["before"], result["after"])
    RESULT.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    print(json.dumps(result, indent=1))


if __name__ == "__main__":
    main()
