"""Exported manifests in the programs that they are for: TorchXRayVision, pycocotools, MLCommons' Croissant.

These bring packages that nothing else here needs, so they have an environment of their own: ``uv venv /tmp/xrv && uv
pip install --python /tmp/xrv/bin/python torchxrayvision pycocotools mlcroissant pyarrow``. First ``python
benchmarks/exports.py make DIR [--images N]`` with this project's environment: it writes a lake of invented images and
exports it in every format, with the memory that each took; then ``/tmp/xrv/bin/python benchmarks/exports.py check
DIR``, which imports nothing of this project. Exit code 1 where a format does not load.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from pathlib import Path

RESULT = Path(__file__).parent / "results" / "exports.json"
FORMATS = ("csv", "parquet", "coco", "torchxrayvision")


def make(folder: Path, images: int) -> None:
    """Write a lake's manifest of so many invented images, then export it in every format, each in its own process."""
    import numpy as np
    import pyarrow as pa

    from radia_pipeline.contracts.tables import contract
    from radia_pipeline.contracts.vocabulary import vocabulary
    from radia_pipeline.lake.lake import Lake

    lake, rng = Lake.open(folder / "lake"), np.random.default_rng(7)
    ids = [f"{number:032x}" for number in range(images)]
    columns = {name: pa.array(ids) for name in ("image_id", "study_id", "patient_key", "group_id")}
    values = {name: pa.array(rng.integers(-1, 2, images), pa.int8()) for name in vocabulary().classes}
    box = {"class": "Mass", "x_px": 1.0, "y_px": 2.0, "width_px": 30.0, "height_px": 40.0}
    columns |= {
        **values,
        "source": pa.array(["nih_cxr14"] * images),
        "path": pa.array([f"pixels/{name}.png" for name in ids]),
        "view": pa.array(rng.choice(["PA", "AP", "LATERAL", "UNKNOWN"], images)),
        **{name: pa.array(np.full(images, 1024), pa.int32()) for name in ("width_px", "height_px")},
        "pool": pa.array(["train"] * images),
        "fold": pa.array(np.zeros(images), pa.int8()),
        "weight": pa.array(np.ones(images), pa.float32()),
        "excluded": pa.nulls(images, pa.string()),
        **{name: pa.array(["Lung Lesion"] * images) for name in ("by_closure", "expert", "asked")},
        "boxes": pa.array([[box]] * images),
    }
    lake.write("manifest", pa.table({name: columns[name] for name in contract("manifest").columns}), "nih_cxr14")
    for form in FORMATS:
        subprocess.run([sys.executable, __file__, "one", str(folder), form], check=True)


def one(folder: Path, form: str) -> None:
    """Export one format and say what it took."""
    from radia_pipeline.cohort.export import export_manifest
    from radia_pipeline.lake.lake import Lake

    before, began = _peak_mb(), time.process_time()
    result = export_manifest(Lake.open(folder / "lake"), form, folder / form)
    seconds = round(time.process_time() - began, 2)
    took = {"images": result.images, "mb_above_start": _peak_mb() - before, "cpu_s": seconds}
    (folder / f"{form}.json").write_text(json.dumps(took), encoding="utf-8")
    print(form, took, flush=True)


def _peak_mb() -> int:
    """Return the most memory that this program has held; ru_maxrss would count that of the one that started it."""
    status = Path("/proc/self/status").read_text(encoding="ascii")
    return int(next(line.split()[1] for line in status.splitlines() if line.startswith("VmHWM"))) // 1024


def check(folder: Path) -> int:
    """Load each export with the program that it is for; returns how many fail."""
    found: dict[str, object] = {form: json.loads((folder / f"{form}.json").read_text()) for form in FORMATS}
    wrong = 0
    for name, load in (("torchxrayvision", _torchxrayvision), ("pycocotools", _coco), ("mlcroissant", _croissant)):
        try:
            found[f"loaded by {name}"] = load(folder)
        except Exception as error:
            found[f"loaded by {name}"], wrong = f"{type(error).__name__}: {error}", wrong + 1
        print(name, found[f"loaded by {name}"], flush=True)
    kept = json.loads(RESULT.read_text(encoding="utf-8")) if RESULT.exists() else {}
    kept[str(found["csv"]["images"])] = found
    RESULT.write_text(json.dumps(kept, indent=1) + "\n", encoding="utf-8")
    return wrong


def _torchxrayvision(folder: Path) -> dict:
    import numpy as np
    import pandas as pd
    import torchxrayvision as xrv

    class Exported(xrv.datasets.Dataset):
        """A dataset of TorchXRayVision's own kind from the exported table."""

        def __init__(self, views: list[str]) -> None:
            super().__init__()
            self.pathologies = list(xrv.datasets.default_pathologies)
            self.csv = pd.read_csv(folder / "torchxrayvision" / "torchxrayvision.csv", low_memory=False)
            self.limit_to_selected_views(views)
            self.csv = self.csv.reset_index(drop=True)
            self.labels = self.csv[self.pathologies].to_numpy(dtype=np.float32)

        def string(self) -> str:
            return f"Exported num_samples={len(self)}"

        def __len__(self) -> int:
            return len(self.labels)

    every, frontal = Exported(["*"]), Exported(["PA", "AP"])
    xrv.datasets.relabel_dataset(xrv.datasets.default_pathologies, frontal, silent=True)
    merged = xrv.datasets.Merge_Dataset([frontal, Exported(["L"])])
    values = sorted({float(value) for totals in frontal.totals().values() for value in totals})
    return {
        "version": xrv.__version__,
        "images": len(every),
        "PA and AP": len(frontal),
        "with L": len(merged),
        "views": every.csv.view.value_counts().to_dict(),
        "values": values,
    }


def _coco(folder: Path) -> dict:
    from pycocotools.coco import COCO

    read = COCO(str(folder / "coco" / "annotations.json"))
    first = read.loadAnns(read.getAnnIds(imgIds=read.getImgIds()[:1]))
    return {
        "images": len(read.getImgIds()),
        "boxes": len(read.getAnnIds()),
        "categories": len(read.getCatIds()),
        "first": first[0]["bbox"],
    }


def _croissant(folder: Path) -> dict:
    import itertools
    from importlib.metadata import version

    import mlcroissant

    found: dict[str, object] = {"version": version("mlcroissant")}
    for form in FORMATS:
        dataset = mlcroissant.Dataset(jsonld=str(folder / form / "croissant.json"))
        issues = dataset.metadata.ctx.issues
        sets = {
            one.id: next(iter(itertools.islice(dataset.records(one.id), 1))) for one in dataset.metadata.record_sets
        }
        found[form] = {
            "errors": sorted(issues.errors),
            "warnings": sorted(issues.warnings),
            "fields": {name: len(first) for name, first in sets.items()},
        }
        if issues.errors:
            raise ValueError(f"{form}: {sorted(issues.errors)[0]}")
    return found


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", choices=("make", "one", "check"))
    parser.add_argument("folder", type=Path)
    parser.add_argument("form", nargs="?")
    parser.add_argument("--images", type=int, default=2_000)
    options = parser.parse_args()
    if options.what == "check":
        return int(check(options.folder) > 0)
    make(options.folder, options.images) if options.what == "make" else one(options.folder, options.form)
    return 0


if __name__ == "__main__":
    sys.exit(main())
