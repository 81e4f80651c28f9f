"""What 400,000 and 10,000,000 images cost, step by step: arithmetic over figures that other benchmarks have measured.

``python -m benchmarks.scale`` prints the tables of ``docs/scale.md``; ``--write`` puts them there. Nothing is measured
here: each line names the kept result that it comes from, of one core of the machine that measured it.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

RESULTS = Path(__file__).parent / "results"
PAGE = Path(__file__).resolve().parents[1] / "docs" / "scale.md"
BEGIN, END = "<!-- tables: python -m benchmarks.scale --write -->", "<!-- end of tables -->"
IMAGES = (400_000, 10_000_000)
PER_STUDY = 1.6
"""Images of one study in the hospital's delivery; a report is read for each study."""


@dataclass(frozen=True)
class Plan:
    """Machines that work together: cores of one and how many of them; each core is taken as one that was measured."""

    name: str
    machines: int
    cores: int

    @property
    def all_cores(self) -> int:
        """Cores of all machines."""
        return self.machines * self.cores


PLANS = (Plan("one server, 32 cores", 1, 32), Plan("four servers", 4, 32), Plan("a cloud, 16 × 64 cores", 16, 64))


@dataclass(frozen=True)
class Step:
    """``core_ms``: processor time for one image, in milliseconds; ``spreads``: whether a cluster's nodes share it."""

    name: str
    core_ms: float
    spreads: bool
    origin: str


@cache
def kept(name: str) -> dict[str, Any]:
    """Return a kept result."""
    return json.loads((RESULTS / f"{name}.json").read_text(encoding="utf-8"))


def steps() -> list[Step]:
    """Return the steps whose cost per image was measured."""
    ingest, labels = kept("ingest"), kept("labeler")["radia"]["reports_per_second"]
    films, cost = kept("predict_speed"), kept("near_duplicates")["cost"]
    writing = kept("lake_cost")["images"]
    predicted = 1000 * films["processors"] / films["folder of dicom, jpeg 2000 2128 x 2000"]["whole, films/s"]
    return [
        Step("ingest, uncompressed", ingest["by_syntax"]["explicit"]["total_ms"], True, "ingest: by_syntax"),
        Step("ingest, JPEG 2000", ingest["by_syntax"]["JPEG 2000"]["total_ms"], True, "ingest: by_syntax"),
        Step("besides, where print is read", ingest["print"]["1024 px"]["read_ms"], True, "ingest: print, 1024 px"),
        Step("reports", 1000 / PER_STUDY / labels["of_new_words"], True, "labeler: of_new_words"),
        Step("describe for links", cost["describe, ms"], False, "near_duplicates: cost"),
        Step(
            "`images` written",
            1000 * writing["seconds"]["after"]["write, processor"] / writing["rows"],
            False,
            "lake_cost: images",
        ),
        Step(
            "pack for training",
            1000 / kept("training_cpu")["loader"]["png_images_per_s"],
            False,
            "training_cpu: loader, from PNG",
        ),
        Step("predict, JPEG 2000", predicted, True, "predict_speed: dicom folder"),
    ]


def tables() -> str:
    """Return the tables as Markdown."""
    return "\n\n".join("\n".join(one) for one in (_cost_table(), _wall_table(), _store_table()))


def _cost_table() -> Iterator[str]:
    yield "| step | core time per image, ms | images an hour and core | measured in |"
    yield "|---|---:|---:|---|"
    for one in steps():
        yield f"| {one.name} | {_short(one.core_ms)} | {3_600_000 / one.core_ms:,.0f} | `{one.origin}` |"


def _wall_table() -> Iterator[str]:
    heads = [f"{count:,}: {plan.name}" for count in IMAGES for plan in PLANS]
    yield f"| hours | {' | '.join(heads)} |"
    yield f"|---|{'---:|' * len(heads)}"
    for one in steps():
        cells = [_hours(one, count, plan) for count in IMAGES for plan in PLANS]
        yield f"| {one.name} | {' | '.join(cells)} |"


def _hours(step: Step, count: int, plan: Plan) -> str:
    cores = plan.all_cores if step.spreads else plan.cores
    return _short(step.core_ms * count / 3_600_000 / cores)


def _store_table() -> Iterator[str]:
    rows, bytes_of_rows = kept("lake_cost")["images"]["rows"], 1e6 * kept("lake_cost")["images"]["megabytes"]
    journal = _deliveries()[-1][1]["again"]["journal_bytes_a_file"]
    each = {
        "stored PNG, 1,024 px (1 MB each, an estimate)": 1e6,
        "packed for training, 512 px, 16 bits": 2.0 * 512 * 512,
        "`images`, one version (`lake_cost`)": bytes_of_rows / rows,
        f"journal of the ingest ({journal:,} B a file, `ingest_memory`)": journal,
    }
    yield "| | " + " | ".join(f"{count:,}" for count in IMAGES) + " |"
    yield "|---|---:|---:|"
    for name, size in each.items():
        yield f"| {name} | " + " | ".join(f"{_short(size * count / 1e9)} GB" for count in IMAGES) + " |"
    yield "| parent of the ingest, memory (`ingest_memory`) | " + " | ".join(_parent_memory()) + " |"


def _parent_memory() -> Iterator[str]:
    """Extend the line through the two largest deliveries that were measured."""
    (few, less), (many, more) = ((int(count), runs["again"]["peak_mib"]) for count, runs in _deliveries()[-2:])
    for count in IMAGES:
        mib = more + max(0.0, more - less) / (many - few) * (count - many)
        yield f"{_short(mib * (1 << 20) / 1e9)} GB"


def _deliveries() -> list[tuple[str, Any]]:
    found = ((count, runs) for count, runs in kept("ingest_memory")["now"].items() if count.isdigit())
    return sorted(found, key=lambda one: int(one[0]))


def _short(value: float) -> str:
    """Return three figures."""
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def main() -> None:
    """Print the tables, or write them into the page."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--write", action="store_true", help="put them into docs/scale.md")
    if not options.parse_args().write:
        print(tables())
        return
    before, _, rest = PAGE.read_text(encoding="utf-8").partition(BEGIN)
    PAGE.write_text(f"{before}{BEGIN}\n{tables()}\n{END}{rest.partition(END)[2]}", encoding="utf-8")


if __name__ == "__main__":
    main()
