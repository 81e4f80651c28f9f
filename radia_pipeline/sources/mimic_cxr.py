"""MIMIC-CXR-JPG 2.x: JPEG files below ``files/p10/…`` and gzipped tables."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np

from radia_pipeline.contracts.label_values import MISSING
from radia_pipeline.contracts.pools import TEST, TRAIN, VALIDATION
from radia_pipeline.contracts.sheets import source_sheet
from radia_pipeline.errors import BadTable
from radia_pipeline.sources import layout
from radia_pipeline.sources.base import Delivered, DeliveredFile, ImageFacts, Source
from radia_pipeline.sources.delivered_tables import TextTable, count_duplicates, read_table
from radia_pipeline.sources.identifiers import identifiers, one_patient_each
from radia_pipeline.sources.joins import is_image, require_join
from radia_pipeline.sources.label_map import said_table
from radia_pipeline.sources.value_columns import said_by_columns

_SPLITS = {"train": TRAIN, "validate": VALIDATION, "test": TEST}
_VIEWS = {
    "PA": "PA",
    "AP": "AP",
    "AP AXIAL": "AP",
    "AP LLD": "AP",
    "AP RLD": "AP",
    "PA LLD": "PA",
    "PA RLD": "PA",
    "LATERAL": "LATERAL",
    "LL": "LATERAL",
    "RL": "LATERAL",
    "XTABLE LATERAL": "LATERAL",
}
_VIEW_WORDS = ("ViewCodeSequence_CodeMeaning", "PerformedProcedureStepDescription")
_WORDS = {"PA": r"\bPA\b|\bPOSTERO ANTERIOR\b", "AP": r"\bAP\b|\bANTERO POSTERIOR\b", "LATERAL": r"\bLAT(ERAL)?\b"}
_EXPERT_COLUMNS = {"Lung Opacity": ("Airspace Opacity",)}
"""What the radiologist's table of the test set calls otherwise."""


class MimicCxr(Source):
    """PhysioNet's published layout; identifiers are prefixed as in its paths: p10000032, s50414267.

    Its reports are English and a dataset of their own.
    """

    name = "mimic_cxr"
    folder_names = ("mimic_cxr", "mimic-cxr-jpg", "mimic-cxr-jpg-2.1.0", "mimic-cxr-jpg-2.0.0", "2.1.0", "2.0.0")
    parts = (
        ("mimic-cxr-2.*-metadata.csv", ("mimic-cxr-2.*-metadata.csv*",)),
        ("mimic-cxr-2.*-chexpert.csv or -negbio.csv", ("mimic-cxr-2.*-chexpert.csv*", "mimic-cxr-2.*-negbio.csv*")),
        ("files/p10 to files/p19", ("files/p1?",)),
    )

    def has_layout(self, root: Path) -> bool:
        """Tell whether the metadata table lies in ``root``."""
        return _versioned(root, "metadata") is not None

    def files(self, root: Path) -> Iterator[DeliveredFile]:
        """Yield every file below ``files``."""
        return layout.files_below(root, ["files"])

    def facts(self, root: Path) -> dict[str, ImageFacts] | None:
        """Return facts of the files that the metadata table names."""
        paths = {layout.stem(file.relative_path): file.relative_path for file in self.files(root)}
        sheet, (table, images, studies, patients) = source_sheet(self.name), self._metadata(root)
        require_join(_image_names(paths.values()), set(images), table.name, "dicom_id")
        split_path = _versioned(root, "split")
        splits: dict[str, str] = {}
        if split_path:
            split_table = read_table(split_path)
            splits = dict(zip(identifiers(split_table, sheet, "dicom_id"), split_table.column("split")))
        columns = zip(
            images,
            patients,
            studies,
            _views(table),
            table.optional("StudyDate"),
            table.optional("Columns"),
            table.optional("Rows"),
        )
        facts = {}
        for image, patient, study, view, date, width, height in columns:
            if image in paths:
                split = splits.get(image, "")
                facts[paths[image]] = ImageFacts(
                    native_image_id=image,
                    native_study_id=f"s{study}",
                    native_patient_id=f"p{patient}",
                    view=view,
                    study_date=date if len(date) == 8 and date.isdigit() else None,
                    original_width_px=_size(width),
                    original_height_px=_size(height),
                    official_split=_SPLITS.get(split),
                    held_in=split if split in sheet.held_splits else None,
                )
        return facts

    def labels(self, root: Path) -> Delivered | None:
        """Return the study labels; a study of the metadata table without a label row is kept and counted.

        What a radiologist said of the test set's studies, where that table is there, stands in the place of the rules'.
        """
        sheet = source_sheet(self.name)
        path = _versioned(root, "chexpert") or _versioned(root, "negbio")
        if path is None:
            raise BadTable(
                f"No label table in {root}",
                accepted="mimic-cxr-2.*-chexpert.csv or mimic-cxr-2.*-negbio.csv, each also as .gz",
                do="complete the delivery",
            )
        table, (metadata, images, imaged, owners) = read_table(path), self._metadata(root)
        said, unreadable = said_by_columns(table, sheet)
        studies, patients = identifiers(table, sheet, "study_id"), identifiers(table, sheet, "subject_id")
        one_patient_each(table, studies, patients)
        problems = Counter(table.problems) + Counter(metadata.problems) + unreadable
        problems["rows_repeating_a_study"] = count_duplicates(studies)
        known = set(studies)
        study_of = dict(zip(images, imaged))
        on_disk = {layout.stem(file.relative_path) for file in self.files(root)}
        require_join([study_of[image] for image in on_disk if image in study_of], known, table.name, "study_id")
        silent = {study: patient for study, patient in zip(imaged, owners) if study not in known}
        problems["studies_without_label_row"] = len(silent)
        said = np.concatenate([said, np.full((len(silent), said.shape[1]), MISSING, dtype=np.int8)])
        problems["rows_without_file"], problems["files_without_row"] = (
            len(set(images) - on_disk),
            len(on_disk - set(images)),
        )
        studies, patients = [*studies, *silent], [*patients, *silent.values()]
        is_expert = self._read_by_experts(root, studies, said, problems)
        return said_table(
            [f"s{s}" for s in studies], [f"p{p}" for p in patients], said, sheet.labels, problems, is_expert=is_expert
        )

    def _read_by_experts(self, root: Path, studies: list[str], said: np.ndarray, problems: Counter) -> np.ndarray:
        """Put the radiologist's values of the test set into ``said`` and return which cells they are.

        A class of which the table has no column keeps what the rules say, and is nobody's reading.
        """
        is_expert = np.zeros(said.shape, dtype=bool)
        path = _versioned(root, "test-set-labeled")
        if path is None:
            return is_expert
        sheet, table = source_sheet(self.name), read_table(path)
        absent: set[str] = set()
        read, unreadable = said_by_columns(table, sheet, also=_EXPERT_COLUMNS, absent=absent)
        asked = np.array([name not in absent for name in sheet.labels])
        if not asked.any():
            raise BadTable(
                f"{table.name} has none of the label columns; it has {', '.join(map(repr, table.header[:40]))}",
                accepted="study_id and the names of the labels",
                do="restore the published header, or take the table away",
            )
        problems["expert_columns_not_there"] += len(absent)
        problems.update(table.problems)
        problems["unreadable_label_values"] += unreadable["unreadable_label_values"]
        rows = {study: row for row, study in enumerate(studies)}
        for study, values in zip(identifiers(table, sheet, "study_id"), read):
            row = rows.get(study.removeprefix("s"))
            if row is None:
                problems["expert_rows_without_study"] += 1
                continue
            said[row, asked] = values[asked]
            is_expert[row, asked] = True
        return is_expert

    def _metadata(self, root: Path) -> tuple[TextTable, list[str], list[str], list[str]]:
        """Return the metadata table and its images, studies and patients."""
        path = _versioned(root, "metadata")
        if path is None:
            raise BadTable(
                f"No mimic-cxr-2.*-metadata.csv in {root}", accepted="also as .gz", do="complete the delivery"
            )
        table, sheet = read_table(path), source_sheet(self.name)
        images, studies, patients = (identifiers(table, sheet, name) for name in ("dicom_id", "study_id", "subject_id"))
        one_patient_each(table, studies, patients)
        return table, images, studies, patients


def _versioned(root: Path, kind: str) -> Path | None:
    """Return the newest table of a kind: mimic-cxr-2.<x>.<y>-<kind>.csv, plain or gzip."""
    found = [path for pattern in ("csv", "csv.gz") for path in root.glob(f"mimic-cxr-2.*-{kind}.{pattern}")]
    return max(found, default=None)


def _size(text: str) -> int | None:
    return int(text) if text.isdigit() and int(text) > 0 else None


def _image_names(paths: Iterable[str]) -> list[str]:
    return [layout.stem(path) for path in paths if is_image(path)]


def _views(table: TextTable) -> list[str | None]:
    """Return each image's view: ViewPosition, else what code and procedure say; None leaves it to the pixels."""
    codes, procedures = (table.optional(name) for name in _VIEW_WORDS)
    return [
        _VIEWS.get(view.upper(), "UNKNOWN") if view else _in_words(code) or _in_words(procedure)
        for view, code, procedure in zip(table.optional("ViewPosition"), codes, procedures)
    ]


def _in_words(text: str) -> str | None:
    """Return the one projection that a text names; None where it names none or several."""
    plain = " ".join(re.sub(r"[^A-Z]+", " ", text.upper()).split())
    named = {view for view, pattern in _WORDS.items() if re.search(pattern, plain)}
    return named.pop() if len(named) == 1 else None
