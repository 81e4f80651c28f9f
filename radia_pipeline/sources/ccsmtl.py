"""CCSMTL: the hospital's delivery. DICOM files below ``dicom/`` and French reports in ``reports.csv``."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa

from radia_pipeline.contracts.sheets import source_sheet
from radia_pipeline.errors import NoLayout
from radia_pipeline.sources import layout
from radia_pipeline.sources.base import REPORT_SCHEMA, Delivered, DeliveredFile, Source
from radia_pipeline.sources.delivered_tables import count_duplicates, find_table, read_table
from radia_pipeline.sources.identifiers import identifiers

REPORTS = ("reports.csv",)


class Ccsmtl(Source):
    """The hospital's delivery; files are known by their content, identifiers come from headers, labels from reports."""

    name = "ccsmtl"
    folder_names = ("ccsmtl",)
    parts = (
        ("dicom/", ("dicom",)),
        ("reports.csv", ("reports.csv*",)),
    )

    def has_layout(self, root: Path) -> bool:
        """Tell whether ``dicom/`` lies in ``root``."""
        return (root / "dicom").is_dir()

    def files(self, root: Path) -> Iterator[DeliveredFile]:
        """Yield every file below ``dicom/``, of any kind and depth; reports are counted apart."""
        return layout.files_below(root, ["dicom"])

    def reports(self, root: Path) -> Delivered | None:
        """Return the reports row by row as delivered.

        Rows without a study or without text are counted and left out; a study that comes twice keeps both rows.
        Raises NoLayout where there is no ``reports.csv``, BadTable where a column is missing.
        """
        path = find_table(root, REPORTS)
        if path is None:
            raise NoLayout(
                "The delivery of ccsmtl has no reports.csv",
                accepted="reports.csv beside dicom/, with the columns study_instance_uid, patient_id and report",
                do="deliver it (its header line alone says that there are no reports), or stop at the images: "
                "radia run --until images",
            )
        table = read_table(path)
        sheet = source_sheet(self.name)
        studies = identifiers(table, sheet, "study_instance_uid")
        patients = identifiers(table, sheet, "patient_id")
        texts = table.column("report")
        problems = Counter(table.problems)
        kept = [row for row in zip(studies, patients, texts) if row[0]]
        problems["rows_without_study"] = len(studies) - len(kept)
        problems["rows_without_text"] = sum(1 for _, _, text in kept if not text)
        kept = [row for row in kept if row[2]]
        problems["rows_repeating_a_study"] = count_duplicates(study for study, _, _ in kept)
        columns = list(zip(*kept)) if kept else [(), (), ()]
        data = pa.table([pa.array(column, pa.string()) for column in columns], schema=REPORT_SCHEMA)
        return Delivered(data, dict(+problems))
