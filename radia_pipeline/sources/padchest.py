"""PadChest: 16-bit PNG files in numbered folders and one table with a Python list of tokens in it."""

from __future__ import annotations

import heapq
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from radia_pipeline.contracts.label_values import MISSING
from radia_pipeline.contracts.sheets import source_sheet
from radia_pipeline.sources import layout
from radia_pipeline.sources.base import Delivered, DeliveredFile, ImageFacts, Source
from radia_pipeline.sources.delivered_tables import (
    TextTable,
    age_in_years,
    as_float,
    count_duplicates,
    find_table,
    read_table,
    require_table,
    sex_of,
)
from radia_pipeline.sources.identifiers import identifiers, one_patient_each
from radia_pipeline.sources.joins import is_image, require_join
from radia_pipeline.sources.label_map import TokenMap, said_table

TABLES = ("PADCHEST_chest_x_ray_images_labels_160K_01.02.19.csv", "PADCHEST_chest_x_ray_images_labels_160K.csv")
_FLAT_FOLDERS = ("images", "images-224")
_VIEWS = {"PA": "PA", "AP": "AP", "AP_HORIZONTAL": "AP", "L": "LATERAL"}
_TOKEN = re.compile(r"'([^']*)'|\"([^\"]*)\"")


class PadChest(Source):
    """BIMCV's published layout; images in their numbered folders, in ``images``, in ``images-224`` (resized) or beside
    the table.

    Its reports are Spanish, stemmed and not read here.
    """

    name = "padchest"
    folder_names = ("padchest", "BIMCV-PadChest-FULL", "BIMCV-PadChest")
    parts = (
        ("PADCHEST_chest_x_ray_images_labels_160K_01.02.19.csv", ("PADCHEST_chest_x_ray_images_labels_160K*",)),
        ("images in 0 to 54, images, images-224 or beside the table", ("[0-9]", "[0-9][0-9]", "images*", "*.png")),
    )

    def has_layout(self, root: Path) -> bool:
        """Tell whether the table lies in ``root``."""
        return find_table(root, TABLES) is not None

    def files(self, root: Path) -> Iterator[DeliveredFile]:
        """Yield every file in numbered and flat folders, and PNG files that lie beside the table."""
        folders = [
            path.name
            for path in root.iterdir()
            if path.is_dir() and (path.name.isdigit() or path.name in _FLAT_FOLDERS)
        ]
        beside = (DeliveredFile(name) for name in sorted(path.name for path in root.glob("*.png")))
        return heapq.merge(layout.files_below(root, folders), beside, key=lambda file: file.relative_path)

    def facts(self, root: Path) -> dict[str, ImageFacts] | None:
        """Return facts of the files that the table names."""
        paths = layout.by_file_name(self.files(root))
        table, images, studies, patients = self._table(root)
        require_join([name for name in paths if is_image(name)], set(images), table.name, "ImageID")
        columns = zip(
            images,
            studies,
            patients,
            table.optional("Projection"),
            _ages(table, Counter()),
            table.optional("PatientSex_DICOM"),
            table.optional("StudyDate_DICOM"),
            table.optional("SpatialResolution_DICOM"),
        )
        facts = {}
        for image, study, patient, view, age, sex, date, spacing in columns:
            step = as_float(spacing) if spacing else None
            for path in paths.get(image, ()):
                facts[path] = ImageFacts(
                    native_image_id=image,
                    native_study_id=study,
                    native_patient_id=patient or study,
                    view=_VIEWS.get(view.upper(), "UNKNOWN") if view else None,
                    age_years=age,
                    sex=sex_of(sex),
                    study_date=date[:8] if date[:8].isdigit() and len(date) >= 8 else None,
                    pixel_spacing_mm=(step, step) if step else None,
                )
        return facts

    def labels(self, root: Path) -> Delivered | None:
        """Return every labelled class of each row; absent means 0. Rows without a usable list are unlabelled and
        counted.
        """
        sheet = source_sheet(self.name)
        table, names, studies, owners = self._table(root)
        tokens = TokenMap(sheet)
        rows = [_tokens(text) for text in table.column("Labels")]
        said, _ = tokens.said(rows)
        silent = np.array([_is_silent(row, sheet.unlabelled_tokens) for row in rows], dtype=bool)
        said[silent] = MISSING
        problems = Counter(table.problems)
        known = {*sheet.label_map, *sheet.other_tokens, *sheet.unlabelled_tokens}
        problems["unknown_label_tokens"] = sum(token not in known for row in rows for token in row)
        problems["rows_without_labels"] = int(silent.sum())
        _ages(table, problems)
        on_disk = set(layout.by_file_name(self.files(root)))
        problems["rows_repeating_an_image"] = count_duplicates(names)
        problems["rows_without_file"] = sum(name not in on_disk for name in names)
        problems["files_without_row"] = len(on_disk - set(names))
        patients = [patient or study for patient, study in zip(owners, studies)]
        problems["rows_without_patient"] = sum(not patient for patient in owners)
        return said_table(studies, patients, said, tokens.classes, problems)

    def _table(self, root: Path) -> tuple[TextTable, list[str], list[str], list[str]]:
        """Return the table and its images, studies and patients; rows of a study of several patients are left out."""
        table, sheet = read_table(require_table(root, TABLES)), source_sheet(self.name)
        images, studies, patients = (identifiers(table, sheet, name) for name in ("ImageID", "StudyID", "PatientID"))
        mixed = one_patient_each(table, studies, patients, sheet.mixed_studies)
        kept = [row for row, study in enumerate(studies) if study not in mixed]
        if mixed:
            table.problems["rows_of_studies_of_several_patients"] += len(studies) - len(kept)
            table = replace(table, rows=[table.rows[row] for row in kept], lines=[table.lines[row] for row in kept])
        images, studies, patients = ([column[row] for row in kept] for column in (images, studies, patients))
        return table, images, studies, patients


def _tokens(text: str) -> list[str]:
    """Return the tokens of a Python list as text, stripped, without empty ones; nothing is evaluated."""
    return [token for pair in _TOKEN.findall(text) if (token := (pair[0] or pair[1]).strip())]


def _is_silent(tokens: list[str], unlabelled: Sequence[str]) -> bool:
    """Tell whether a row says nothing of the image: no token, only "unchanged" and the like, or excluded by its
    readers.
    """
    return "exclude" in tokens or all(token in unlabelled for token in tokens)


def _ages(table: TextTable, problems: Counter) -> list[float | None]:
    """Return ages at the study, from the year of birth; impossible ones are None and counted."""
    ages = []
    for born, date in zip(table.optional("PatientBirth"), table.optional("StudyDate_DICOM")):
        year, study = as_float(born), as_float(date[:4])
        ages.append(age_in_years(f"{study - year:g}", problems) if year and study else None)
    return ages
