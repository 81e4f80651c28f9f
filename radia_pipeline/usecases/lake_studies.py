"""A study of the lake as a viewer shows it: its images in the order in which they hang, earlier films, labels, report.

Plain data out of tables; what is asked often stands in memory and is read again when a table is published anew. Not
here: what the models say (``lake_answers``), who may see what (``readings.desk``).
"""

from __future__ import annotations

import threading
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from radia_pipeline.contracts.sheets import known_sources
from radia_pipeline.contracts.tables import empty
from radia_pipeline.dicom.doubts import DOUBTS
from radia_pipeline.lake.lake import Lake
from radia_pipeline.lake.settings import read_settings
from radia_pipeline.readings.reading import ANSWERS
from radia_pipeline.usecases.refusals import what_to_do

MOST_PRIORS = 3
_HANGING = {"PA": 0, "AP": 1, "UNKNOWN": 2, "LATERAL": 3}
_WORD_OF = {value: word for word, value in ANSWERS.items()}
_IMAGE_COLUMNS = (
    "source", "image_id", "study_id", "patient_key", "path", "pixel_sha256", "file_sha256", "delivered_path", "view",
    "width_px", "height_px", "original_width_px", "original_height_px", "bits_stored", "photometric",
    "pixel_spacing_row_mm", "pixel_spacing_col_mm", "patient_age_years", "patient_sex", "study_date", "manufacturer",
    "device_model", "flags", "view_origin", "not_a_chest_score", "inverted_score", "rotated_score", "blank_score",
    "cropped_score",
)  # fmt: skip

_MENTION_COLUMNS = (
    "mention_index",
    "class",
    "concept",
    "status",
    "section",
    "span_start",
    "span_end",
    "cue",
    "rule_id",
)


FULL_SIZE_PX = 1024
"""Films at least as tall are at a radiograph's size; they come first in a list, as there is something to look at."""


@dataclass(frozen=True)
class Listing:
    """What a list of studies is asked for: each None or empty one asks for nothing. ``start``: of a study's key."""

    source: str | None = None
    pool: str | None = None
    has: Collection[str] = ()
    label: str | None = None
    start: str = ""
    without: Collection[str] = ()


class LakeStudies:
    """The studies of one lake; several threads may ask."""

    def __init__(self, lake: Lake) -> None:
        self._lake, self._lock = lake, threading.Lock()
        self._tables: dict[str, tuple[object, pa.Table]] = {}

    # --- images -----------------------------------------------------------------------------------------------------
    def images_of(self, study_id: str) -> list[dict[str, Any]]:
        """Return the rows of a study's images in the order in which they hang; none of a study that is not there."""
        table = self._images()
        rows = table.filter(pc.equal(table["study_id"], study_id)).to_pylist()
        return sorted(rows, key=lambda row: (_HANGING.get(row["view"], 2), row["image_id"]))

    def image(self, image_id: str) -> dict[str, Any] | None:
        """Return one image's row."""
        table = self._images()
        rows = table.filter(pc.equal(table["image_id"], image_id)).to_pylist()
        return rows[0] if rows else None

    def some_images(self) -> list[dict[str, Any]]:
        """Return a frontal image, as an example; none of an empty lake."""
        table = self._images()
        return table.filter(pc.not_equal(table["view"], "LATERAL")).slice(0, 1).to_pylist()

    def stored_path(self, row: Mapping[str, Any]) -> Path:
        """Return where an image's stored picture lies."""
        return self._lake.root / row["path"]

    def native_path(self, row: Mapping[str, Any]) -> Path | None:
        """Return where the delivered file of an image lies, None where it is not to be found."""
        root = read_settings(self._lake.root).sources_root
        if root is None:
            return None
        folder = Path(root)
        candidates = (folder / row["source"] / row["delivered_path"], folder / row["delivered_path"])
        return next((path for path in candidates if path.is_file()), None)

    def priors_of(self, study_id: str) -> list[tuple[str, int]]:
        """Return (study, days before) of earlier studies of the same patient, nearest first, at most MOST_PRIORS."""
        own = self.images_of(study_id)
        if not own or (day := _day(own[0]["study_date"])) is None:
            return []
        table = self._images()
        same = pc.and_(
            pc.equal(table["patient_key"], own[0]["patient_key"]), pc.equal(table["source"], own[0]["source"])
        )
        others = table.filter(same).select(["study_id", "study_date"]).to_pylist()
        days = {row["study_id"]: (day - then).days for row in others if (then := _day(row["study_date"])) is not None}
        earlier = sorted((count, study) for study, count in days.items() if count > 0)
        return [(study, count) for count, study in earlier[:MOST_PRIORS]]

    def of_same_patients(self, study_ids: Collection[str]) -> frozenset[str]:
        """Return these studies and all others of their patients."""
        if not study_ids:
            return frozenset()
        table = self._images()
        own = table.filter(pc.is_in(table["study_id"], value_set=pa.array(sorted(study_ids), pa.string())))
        theirs = table.filter(pc.is_in(table["patient_key"], value_set=own["patient_key"].unique()))
        return frozenset(theirs["study_id"].to_pylist()) | frozenset(study_ids)

    # --- lists ------------------------------------------------------------------------------------------------------
    def sources(self) -> list[str]:
        """Return the sources that have images."""
        return [name for name in self._lake.partitions("images") if name in known_sources()]

    def listed(self, wish: Listing, offset: int, limit: int) -> tuple[int, list[dict[str, Any]]]:
        """Return how many studies there are and those from ``offset`` on, by source, full size first, and by key."""
        studies = self._summary()
        studies = studies.filter(self._mask(studies, wish))
        page = studies.slice(offset, limit)
        priors = self._with_prior()
        return studies.num_rows, [{**row, "has_prior": row["study_id"] in priors} for row in page.to_pylist()]

    def _mask(self, studies: pa.Table, wish: Listing) -> pa.Array:
        mask = pa.array(np.ones(studies.num_rows, dtype=bool))
        equal = {"source": wish.source, "pool": wish.pool}
        for name, value in equal.items():
            if value is not None:
                mask = pc.and_(mask, pc.fill_null(pc.equal(studies[name], value), False))
        if wish.start:
            mask = pc.and_(mask, pc.starts_with(studies["study_id"], wish.start))
        kept: list[Collection[str]] = []
        if "report" in wish.has:
            kept.append(self._with_report())
        if "prior" in wish.has:
            kept.append(self._with_prior())
        if "lateral" in wish.has:
            images = self._images()
            kept.append(images.filter(pc.equal(images["view"], "LATERAL"))["study_id"].to_pylist())
        if wish.label is not None:
            kept.append(self._labelled(wish.label))
        for ids in kept:
            mask = pc.and_(mask, pc.is_in(studies["study_id"], value_set=pa.array(sorted(ids), pa.string())))
        if wish.without:
            gone = pc.is_in(studies["study_id"], value_set=pa.array(sorted(wish.without), pa.string()))
            mask = pc.and_(mask, pc.invert(gone))
        return mask

    def _summary(self) -> pa.Table:
        """Return one row for each study: source, study_id, views, sex, age_years, has_report, pool."""
        stamp = (self._stamp("images"), self._stamp("splits"), self._stamp("reports"))
        with self._lock:
            known = self._tables.get("summary")
        if known is not None and known[0] == stamp:
            return known[1]
        images, pools, reported = self._images(), self._pools(), self._with_report()
        grouped = images.group_by(["source", "study_id"], use_threads=False).aggregate(
            [
                ("view", "list"),
                ("patient_sex", "min"),
                ("patient_age_years", "min"),
                ("patient_key", "min"),
                ("original_height_px", "max"),
            ]
        )
        ranked = sorted(
            grouped.to_pylist(),
            key=lambda row: (row["source"], row["original_height_px_max"] < FULL_SIZE_PX, row["study_id"]),
        )
        rows = [
            {
                "study_id": row["study_id"],
                "source": row["source"],
                "pool": pools.get(row["patient_key_min"]),
                "views": sorted(row["view_list"], key=lambda view: _HANGING.get(view, 2)),
                "sex": row["patient_sex_min"],
                "age_years": _whole(row["patient_age_years_min"]),
                "has_report": row["study_id"] in reported,
            }
            for row in ranked
        ]
        types = pa.schema(
            {
                "study_id": pa.string(),
                "source": pa.string(),
                "pool": pa.string(),
                "views": pa.list_(pa.string()),
                "sex": pa.string(),
                "age_years": pa.int64(),
                "has_report": pa.bool_(),
            }
        )
        table = pa.Table.from_pylist(rows, schema=types)
        with self._lock:
            self._tables["summary"] = (stamp, table)
        return table

    def pool_of(self, row: Mapping[str, Any]) -> str | None:
        """Return the pool of an image's patient, None before patients were placed."""
        return self._pools().get(row["patient_key"])

    def _pools(self) -> dict[str, str]:
        if not self._lake.exists("splits"):
            return {}
        table = self._table("splits", ("patient_key", "pool"))
        return dict(zip(table["patient_key"].to_pylist(), table["pool"].to_pylist(), strict=True))

    def _with_report(self) -> set[str]:
        table = self._table("reports", ("study_id", "refusal"))
        return set(table.filter(pc.is_null(table["refusal"]))["study_id"].to_pylist()) if table.num_columns else set()

    def _with_prior(self) -> set[str]:
        images = self._images()
        dated = images.filter(pc.is_valid(images["study_date"]))
        first = dated.group_by(["source", "patient_key"], use_threads=False).aggregate([("study_date", "min")])
        joined = dated.select(["source", "patient_key", "study_id", "study_date"]).join(
            first, keys=["source", "patient_key"], use_threads=False
        )
        return set(joined.filter(pc.greater(joined["study_date"], joined["study_date_min"]))["study_id"].to_pylist())

    def _labelled(self, name: str) -> set[str]:
        found: set[str] = set()
        for source in self._lake.partitions("labels"):
            filters = (pc.field("class") == name) & (pc.field("value") == 1)
            rows = self._lake.read("labels", source, columns=["study_id"], filters=filters)
            found |= set(rows["study_id"].to_pylist())
        return found

    # --- labels and reports -----------------------------------------------------------------------------------------
    def reference(self, source: str, study_id: str) -> dict[str, dict[str, Any]]:
        """Return class → value, said and origin of every class of a study that has a label."""
        rows = self._rows("labels", source, study_id, ["class", "said", "value", "origin"])
        return {
            row["class"]: {"value": _WORD_OF[row["value"]], "said": _WORD_OF.get(row["said"]), "origin": row["origin"]}
            for row in rows
            if row["value"] is not None
        }

    def report(self, source: str, study_id: str) -> tuple[str, dict[str, Any] | None]:
        """Return (state, report): ``shown``, ``none`` or ``refused``; text, spans of evidence and devices."""
        rows = self._rows("reports", source, study_id, ["report_text", "refusal"])
        if not rows:
            return "none", None
        if rows[0]["refusal"] is not None:
            return "refused", None
        found = self._rows("report_mentions", source, study_id, _MENTION_COLUMNS)
        mentions = sorted(found, key=lambda row: row["mention_index"])
        about = self._rows("report_attributes", source, study_id, ["is_unlabelled", "devices", "misplaced_devices"])
        attributes = about[0] if about else {}
        return "shown", {
            "text": rows[0]["report_text"],
            "is_unlabelled": bool(attributes.get("is_unlabelled", False)),
            "devices": _names(attributes.get("devices")),
            "misplaced_devices": _names(attributes.get("misplaced_devices")),
            "spans": [
                {
                    "start": row["span_start"],
                    "end": row["span_end"],
                    "class": row["class"],
                    "concept": row["concept"],
                    "status": _WORD_OF.get(row["status"]),
                    "section": row["section"],
                    "cue": row["cue"] or "",
                    "rule": row["rule_id"],
                }
                for row in mentions
            ],
        }

    def versions_shown(self, source: str) -> dict[str, str]:
        """Return the versions of the report and the labels of a source, as a reading names what was visible."""
        named = {"report": "reports", "label": "labels"}
        return {
            what: self._lake.version(table, source) for what, table in named.items() if self._lake.exists(table, source)
        }

    def _rows(self, name: str, source: str, study_id: str, columns: Sequence[str]) -> list[dict[str, Any]]:
        if not self._lake.exists(name, source):
            return []
        filters = pc.field("study_id") == study_id
        return self._lake.read(name, source, columns=list(columns), filters=filters).to_pylist()

    def _images(self) -> pa.Table:
        found = self._table("images", _IMAGE_COLUMNS)
        return found if found.num_columns else empty("images").select(_IMAGE_COLUMNS)

    # --- tables in memory -------------------------------------------------------------------------------------------
    def _stamp(self, name: str) -> tuple:
        stats = [(one, self._lake.path(name, one).stat()) for one in self._lake.partitions(name)]
        return tuple((one, stat.st_ino, stat.st_mtime_ns, stat.st_size) for one, stat in stats)

    def _table(self, name: str, columns: Sequence[str]) -> pa.Table:
        """Return these columns of a whole table, from memory while nothing was published; an empty one of none."""
        stamp = self._stamp(name)
        with self._lock:
            known = self._tables.get(name)
        if known is not None and known[0] == stamp:
            return known[1]
        table = self._lake.read(name, columns=list(columns)) if stamp else pa.table({})
        with self._lock:
            self._tables[name] = (stamp, table)
        return table


def told_image(row: Mapping[str, Any], *, has_native: bool, is_blind: bool) -> dict[str, Any]:
    """Return what a page is told of an image; of a blind one neither its doubts nor its device."""
    flags = [] if is_blind else [name for name in row["flags"] or () if name in DOUBTS]
    device = " ".join(filter(None, (row["manufacturer"], row["device_model"])))
    spacing = [row["pixel_spacing_row_mm"], row["pixel_spacing_col_mm"]]
    return {
        "image_id": row["image_id"],
        "view": row["view"],
        "stored": [row["height_px"], row["width_px"]],
        "native": _native_shape(row),
        "has_native": has_native,
        "bits": row["bits_stored"],
        "photometric": row["photometric"],
        "spacing_mm": None if None in spacing else spacing,
        "device": None if is_blind or not device else device,
        "flags": [told_flag(name, row.get(f"{name}_score")) for name in flags],
    }


def told_flag(name: str, score: float | None = None) -> dict[str, Any]:
    """Return a doubt about an image with what it means and what to do."""
    return {"flag": name, "score": score, "means": DOUBTS[name].means, "do": what_to_do(name)}


def _native_shape(row: Mapping[str, Any]) -> list[int]:
    """Return (height, width) with square pixels, as ``dicom.render`` makes them."""
    height, width = row["original_height_px"], row["original_width_px"]
    down, across = row["pixel_spacing_row_mm"], row["pixel_spacing_col_mm"]
    if down and across and down != across:
        ratio = down / across
        return [height, max(1, round(width / ratio))] if ratio > 1 else [max(1, round(height * ratio)), width]
    return [height, width]


def _day(text: str | None) -> date | None:
    try:
        return date.fromisoformat(text) if text else None
    except ValueError:
        return None


def _names(text: str | None) -> list[str]:
    return [name for name in (text or "").replace(",", " ").replace(";", " ").split() if name]


def _whole(years: float | None) -> int | None:
    return None if years is None else int(years)
