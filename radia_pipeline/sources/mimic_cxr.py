"""MIMIC-CXR-JPG 2.x: JPEG files below ``files/p10/…`` and gzipped tables."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np

from radia_pipeline.contracts.label_values import MISSING
from radia_pipeline.contracts.pools import TEST, TRAIN, VALIDATION
from radia_pipeline.contracts.sheets import source_sheet
from radia_pipeline.errors import BadTable
from radia_pipeline.sources import layout
from radia_pipeline.sources.base import Delivered, DeliveredFile, ImageFacts, Source
from radia_pipeline.sources.delivered_tables import TextTable, count_duplicates, read_table
from radia_pipeline.sources.label_map import said_table
from radia_pipeline.sources.value_columns import said_by_columns

_SPLITS = {"train": TRAIN, "validate": VALIDATION, "test": TEST}
_VIEWS = {"PA": "PA", "AP": "AP", "AP AXIAL": "AP", "AP LLD": "AP", "AP RLD": "AP", "PA LLD": "PA", "PA RLD": "PA",
          "LATERAL": "LATERAL", "LL": "LATERAL", "RL": "LATERAL", "XTABLE LATERAL": "LATERAL"}  # fmt: skip


class MimicCxr(Source):
    """PhysioNet's published layout; identifiers are prefixed as in its paths: p10000032, s50414267.

    Its reports are English and a dataset of their own.
    """

    name = "mimic_cxr"
    folder_names = ("mimic_cxr", "mimic-cxr-jpg", "mimic-cxr-jpg-2.1.0", "mimic-cxr-jpg-2.0.0", "2.1.0", "2.0.0")

    def has_layout(self, root: Path) -> bool:
        """Tell whether the metadata table lies in ``root``."""
        return _versioned(root, "metadata") is not None

    def files(self, root: Path) -> list[DeliveredFile]:
        """List every file below ``files``."""
        return layout.files_below(root, ["files"])

    def facts(self, root: Path) -> dict[str, ImageFacts] | None:
        """Return facts of the files that the metadata table names."""
        paths = {layout.stem(file.relative_path): file.relative_path for file in self.files(root)}
        table = self._metadata(root)
        split_path = _versioned(root, "split")
        splits: dict[str, str] = {}
        if split_path:
            split_table = read_table(split_path)
            splits = dict(zip(split_table.column("dicom_id"), split_table.column("split")))
        columns = zip(
            table.column("dicom_id"), table.column("subject_id"), table.column("study_id"),
            table.optional("ViewPosition"),
            table.optional("StudyDate"), table.optional("Columns"), table.optional("Rows"),
        )  # fmt: skip
        facts = {}
        for image, patient, study, view, date, width, height in columns:
            if image in paths:
                facts[paths[image]] = ImageFacts(
                    native_image_id=image, native_study_id=f"s{study}", native_patient_id=f"p{patient}",
                    view=_VIEWS.get(view.upper(), "UNKNOWN"),
                    study_date=date if len(date) == 8 and date.isdigit() else None,
                    original_width_px=_size(width), original_height_px=_size(height),
                    official_split=_SPLITS.get(splits.get(image, "")),
                )  # fmt: skip
        return facts

    def labels(self, root: Path) -> Delivered | None:
        """Return the study labels; a study of the metadata table without a label row is kept and counted."""
        sheet = source_sheet(self.name)
        path = _versioned(root, "chexpert") or _versioned(root, "negbio")
        if path is None:
            raise BadTable(
                f"No label table in {root}",
                accepted="mimic-cxr-2.*-chexpert.csv or mimic-cxr-2.*-negbio.csv, each also as .gz",
                do="complete the delivery",
            )
        table, metadata = read_table(path), self._metadata(root)
        said, unreadable = said_by_columns(table, sheet)
        problems = Counter(table.problems) + Counter(metadata.problems) + unreadable
        studies, patients = table.column("study_id"), table.column("subject_id")
        problems["rows_repeating_a_study"] = count_duplicates(studies)
        known = set(studies)
        silent = {s: p for s, p in zip(metadata.column("study_id"), metadata.column("subject_id")) if s not in known}
        problems["studies_without_label_row"] = len(silent)
        said = np.concatenate([said, np.full((len(silent), said.shape[1]), MISSING, dtype=np.int8)])
        on_disk = {layout.stem(file.relative_path) for file in self.files(root)}
        named = set(metadata.column("dicom_id"))
        problems["rows_without_file"], problems["files_without_row"] = len(named - on_disk), len(on_disk - named)
        studies, patients = [*studies, *silent], [*patients, *silent.values()]
        return said_table([f"s{s}" for s in studies], [f"p{p}" for p in patients], said, sheet.labels, problems)

    def _metadata(self, root: Path) -> TextTable:
        path = _versioned(root, "metadata")
        if path is None:
            raise BadTable(
                f"No mimic-cxr-2.*-metadata.csv in {root}", accepted="also as .gz", do="complete the delivery"
            )
        return read_table(path)


def _versioned(root: Path, kind: str) -> Path | None:
    """Return the newest table of a kind: mimic-cxr-2.<x>.<y>-<kind>.csv, plain or gzip."""
    found = [path for pattern in ("csv", "csv.gz") for path in root.glob(f"mimic-cxr-2.*-{kind}.{pattern}")]
    return max(found, default=None)


def _size(text: str) -> int | None:
    return int(text) if text.isdigit() and int(text) > 0 else None
