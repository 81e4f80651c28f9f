"""``radia demo``: invented patients, the whole pipeline, a comparison with the truth that only this module reads."""

from __future__ import annotations

import os
import shutil
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from radia_pipeline.contracts.pools import VALIDATION
from radia_pipeline.defs.run import CPU_RECIPES, execute_graph, write_report
from radia_pipeline.errors import BadInput
from radia_pipeline.lake.keys import Pseudonymizer
from radia_pipeline.lake.lake import Lake
from radia_pipeline.lake.settings import change_settings
from radia_pipeline.processes.progress import Progress, say
from radia_pipeline.usecases.summary import as_text, collect

SOURCES = ("ccsmtl", "nih_cxr14")


@dataclass(frozen=True)
class Size:
    """How much is invented: patients of each source, longest side of an image, recipes and detector.

    ``large_patients``: the hospital's first, whose films are as large as a radiograph, to look at in the page.
    """

    patients: dict[str, int]
    size_px: int
    recipes: tuple[str, ...]
    detector: str
    seed: int = 7
    large_patients: int = 0


FULL = Size({"ccsmtl": 720, "nih_cxr14": 480}, 320, CPU_RECIPES, "small", large_patients=8)
SMALL = Size({"ccsmtl": 60, "nih_cxr14": 40}, 256, ("smoke_linear", "smoke_pcam"), "smoke")


def run_demo(lake_root: Path, *, is_small: bool = False, is_fresh: bool = False) -> tuple[dict[str, Any], str]:
    """Run everything on the phantom; returns the summary as data and as text. The phantom lies beside the lake."""
    started = time.monotonic()
    size = SMALL if is_small else FULL
    deliveries = lake_root.with_name(lake_root.name + ".sources")
    if is_fresh:
        _delete_demo(lake_root, deliveries)
    lake = Lake.open(lake_root)
    keys = Pseudonymizer.from_environment(lake)
    invent(deliveries, size)
    change_settings(lake.root, sources_root=str(deliveries.absolute()), recipes=size.recipes, detector=size.detector)
    outcome = execute_graph(lake, list(SOURCES))
    summary = {
        **collect(lake),
        "failed": outcome.failed,
        "notes": outcome.notes,
        "truth": _against_truth(lake, deliveries, keys),
    }
    summary["duration_s"] = round(time.monotonic() - started, 1)
    summary["report"] = os.fspath(write_report(lake, summary))
    closing = (
        f"Report: {summary['report']}\nIt took {summary['duration_s'] / 60:.1f} minutes. "
        f"Look around: make ui LAKE={lake_root}"
    )
    return summary, as_text(summary) + "\n\n" + closing


def _delete_demo(lake_root: Path, deliveries: Path) -> None:
    """Delete an earlier demo; never a folder that is not one."""
    if lake_root.exists() and not (lake_root / "lake.json").exists():
        raise BadInput(f"{lake_root} is not a lake, so it is not deleted", do="choose another folder with --lake")
    for folder in (lake_root, Lake(lake_root).history_dir, deliveries):
        shutil.rmtree(folder, ignore_errors=True)


def invent(deliveries: Path, size: Size) -> None:
    """Write the phantom unless it lies there already."""
    from radia_pipeline.phantom.write import write_phantom

    done = deliveries / "truth" / "labels.parquet"
    if done.exists():
        return
    say("▸ phantom")
    bar, started = Progress(), time.monotonic()
    written = write_phantom(
        deliveries,
        seed=size.seed,
        patients=size.patients,
        size_px=size.size_px,
        large_patients=size.large_patients,
        on_progress=lambda done, total: bar("phantom", done, total),
    )
    bar.close()
    if written.undrawn:
        say(f"  no sign is known for {', '.join(written.undrawn)}: no film shows it, no report names it")
    say(f"  done in {time.monotonic() - started:.0f} s")


def _against_truth(lake: Lake, deliveries: Path, keys: Pseudonymizer) -> list[dict[str, Any]]:
    """Score pseudo boxes, the detector's boxes and the controls against the boxes that the phantom drew, on validation:
    the test pool is kept for a release."""
    import pyarrow.compute as pc

    from radia_pipeline.detection.inference import detect
    from radia_pipeline.detection.prior import validation_prior
    from radia_pipeline.localisation.truth import PSEUDO, score_against_truth

    manifest = lake.read("manifest", columns=["source", "image_id", "study_id", "path", "pool"])
    images = manifest.filter(pc.equal(manifest["pool"], VALIDATION))
    seen = detect(lake, images, prior=validation_prior(lake))
    boxes = {PSEUDO: lake.read("pseudo_boxes"), "detector": seen}
    return score_against_truth(lake, deliveries / "truth" / "boxes.parquet", keys, boxes=boxes, pool=VALIDATION)
