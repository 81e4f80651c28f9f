"""The comparison page: what the project before, CheXpert's authors and radiologists reached, beside this lake's own.

Printed figures lie in ``original.yaml``; ours come from the scorecard, with their intervals and cases. They are never
of the same patients, and the page says of each table whether they are even of the same dataset. What radiologists read
in a dataset comes first: its held split of the shown pool, else of validation; then what the pool holds of it. Not
here: a judgement.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from radia_pipeline.contracts.pools import VALIDATION
from radia_pipeline.contracts.sheets import source_sheet
from radia_pipeline.contracts.vocabulary import vocabulary
from radia_pipeline.evaluation.panel import ENSEMBLE
from radia_pipeline.evaluation.scorecard import ALL_SOURCES, HELD, MEAN, POOL, shown_pool
from radia_pipeline.lake.atomic import write_text
from radia_pipeline.lake.keys import Pseudonymizer
from radia_pipeline.lake.lake import Lake
from radia_pipeline.pages.render import HERE, made_from, render
from radia_pipeline.pages.run_report_figures import figure, scorecard_rows

DATASETS = {"chexpert": "CheXpert", "ccsmtl": "the hospital's", "other": "other data"}
"""What the printed tables are of; the sources of this lake that are none of them keep their own name."""
HELD_FIGURES = ("auc", "f1", "sensitivity", "specificity")
SECTIONS = (
    ("means", "Means"),
    ("held", "Read by experts"),
    ("validation", "Class by class"),
    ("across", "From the hospital to CheXpert"),
    ("readers", "Radiologists"),
    ("leaderboard", "Leaderboard"),
    ("reading", "How to read this"),
)


@cache
def original() -> Mapping[str, Any]:
    """Return the printed figures."""
    return yaml.safe_load((HERE / "original.yaml").read_text(encoding="utf-8"))


def write_comparison_page(lake: Lake, path: Path | str) -> Path:
    """Write the page and return its path; without a scorecard the columns of this lake are empty."""
    write_text(Path(path), render("comparison.html.j2", _content(lake)))
    return Path(path)


class _Ours:
    """The ensemble of this lake by dataset: on what radiologists read of it, else on the scorecard's pool."""

    def __init__(self, lake: Lake) -> None:
        rows = scorecard_rows(lake)
        self.pool = shown_pool(rows)
        self._rows = {
            (row["source"], row["pool"], row["view"], row["class"], row["metric"]): row
            for row in rows
            if row["model"] == ENSEMBLE and row["view"] in (POOL, HELD)
        }
        self._places = {key[:3] for key in self._rows}

    def place(self, data: str) -> tuple[str, str, str]:
        """Return source, pool and view of the ensemble's figures that stand beside a dataset's."""
        wanted = [(data, self.pool, HELD), (data, VALIDATION, HELD), (data, self.pool, POOL)]
        return next((place for place in wanted if place in self._places), (ALL_SOURCES, self.pool, POOL))

    def basis(self, data: str) -> dict[str, Any]:
        """Return on what our column of a table rests: the same dataset where this lake judged on it, else all."""
        source, pool, view = self.place(data)
        return {
            "source": source,
            "pool": pool,
            "is_held": view == HELD,
            "is_other": source != data,
            "name": DATASETS.get(data, data),
        }

    def cells(self, data: str, name: str) -> dict[str, Any]:
        """Return AUC, F1 and cases of a class, or of a mean over classes."""
        place = self.place(data)
        auc, f1 = (self._rows.get((*place, name, metric)) for metric in ("auc", "f1"))
        cases = None if auc is None else f"{auc['positives']:,} / {auc['studies']:,}"
        return {
            "auc": figure(auc, start=0.5, width=92),
            "f1": figure(f1),
            "cases": cases,
            "is_other": place[0] != data and data in DATASETS,
            "is_held": place[2] == HELD,
        }

    def held(self) -> list[dict[str, Any]]:
        """Return every held split that was judged, class by class, the mean first."""
        names = [name for name in vocabulary().classes if name not in vocabulary().unions]
        return [
            {
                "name": source_sheet(source).title,
                "pool": pool,
                "rows": [
                    {"name": "mean" if name == MEAN else name, **shown}
                    for name in (MEAN, *names)
                    if (shown := self._held_row(source, pool, name)) is not None
                ],
            }
            for source, pool, view in sorted(self._places)
            if view == HELD
        ]

    def _held_row(self, source: str, pool: str, name: str) -> dict[str, Any] | None:
        found = {metric: self._rows.get((source, pool, HELD, name, metric)) for metric in HELD_FIGURES}
        auc = found["auc"]
        if auc is None or (auc["value"] is None and name != MEAN and not auc["positives"]):
            return None
        shown = {key: figure(row, start=0.5, width=92) if key == "auc" else figure(row) for key, row in found.items()}
        return {**shown, "cases": f"{auc['positives']:,} / {auc['studies']:,}"}


def _content(lake: Lake) -> dict[str, Any]:
    ours, printed = _Ours(lake), original()
    columns = printed["validation"]["columns"]
    by_data = {data: ours.basis(data) for data in ("chexpert", "ccsmtl")}
    return {
        "title": "Beside the original",
        "made_from": made_from(lake, "ensemble", "scorecard"),
        "sections": SECTIONS,
        "tiles": [],
        "pool": ours.pool,
        "is_demo": Pseudonymizer.is_demo(lake),
        "basis": by_data,
        "datasets": DATASETS,
        "means": [{"auc": None, "f1": None, "data": "chexpert", **row} for row in printed["means"]["rows"]],
        "our_means": [
            {"name": name, **ours.cells(data, MEAN)}
            for data, name in ((ALL_SOURCES, "all sources"), ("ccsmtl", "the hospital's"), ("chexpert", "CheXpert"))
            if data == ALL_SOURCES or not ours.basis(data)["is_other"]
        ],
        "held": ours.held(),
        "cases": printed["validation"]["cases"],
        "columns": [{"key": key, **column} for key, column in columns.items()],
        "validation": [
            {
                "name": name,
                "doubtful": row.get("doubtful"),
                **{key: _pair(row.get(key)) for key in columns},
                "ours": ours.cells("ccsmtl" if "hospital" in row else "chexpert", name),
            }
            for name, row in _in_order(printed["validation"]["rows"])
        ],
        "across": [
            {"name": name, "printed": _pair(row), "ours": ours.cells("chexpert", name)}
            for name, row in _in_order(printed["across"]["rows"])
        ],
        "readers": [
            {"name": name, **row, "ours": ours.cells("chexpert", name)}
            for name, row in _in_order(printed["readers"]["rows"])
        ],
        "leaderboard": printed["leaderboard"]["rows"],
    }


def _in_order(rows: Mapping[str, Any]) -> list[tuple[str, Any]]:
    """Groups after pathologies, No Finding last, as the vocabulary has them."""
    return sorted(rows.items(), key=lambda row: vocabulary().index(row[0]))


def _pair(found: list[float] | None) -> dict[str, str] | None:
    return None if found is None else {"auc": f"{found[0]:.2f}", "f1": f"{found[1]:.2f}"}
