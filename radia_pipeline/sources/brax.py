"""BRAX, chest radiographs of a hospital in São Paulo: one spreadsheet and PNG files below ``images``.

Its paths name patient, study and series: what an image is called comes from there. The same films are published as
DICOM too; those are not read.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from radia_pipeline.contracts.sheets import source_sheet
from radia_pipeline.errors import BadTable
from radia_pipeline.sources import layout
from radia_pipeline.sources.base import Delivered, DeliveredFile, ImageFacts, Source
from radia_pipeline.sources.delivered_tables import (
    TextTable,
    age_in_years,
    count_duplicates,
    find_table,
    read_table,
    require_table,
    sex_of,
)
from radia_pipeline.sources.identifiers import identifiers, one_patient_each
from radia_pipeline.sources.joins import is_image, require_join
from radia_pipeline.sources.label_map import said_table
from radia_pipeline.sources.value_columns import said_by_columns

TABLES = ("master_spreadsheet_update.csv", "master_spreadsheet.csv")
IMAGES = "images"
_KEY = re.compile(r"(?:^|/)(id_[^/]+)/([^/]+)/(?:([^/]+)/)?([^/]+?)(?:\.[A-Za-z]+)?$")
_PATH = "PngPath"
_VIEWS = {
    "PA": "PA",
    "AP": "AP",
    "L": "LATERAL",
    "LL": "LATERAL",
    "RL": "LATERAL",
    "LAT": "LATERAL",
    "LATERAL": "LATERAL",
}

Key = tuple[str, ...]


@dataclass(frozen=True)
class _Rows:
    """The spreadsheet with the key of each row (patient, study, series, image), None where its path names no image."""

    table: TextTable
    keys: list[Key | None]

    def studies(self) -> list[str]:
        """Return patient and study of each row, joined; rows without a key have none."""
        return ["/".join(key[:2]) if key else "" for key in self.keys]


class Brax(Source):
    """PhysioNet's published layout. Its reports are Portuguese and not part of it."""

    name = "brax"
    folder_names = ("brax", "brax-1.1.0", "BRAX")
    parts = (
        ("master_spreadsheet_update.csv", ("master_spreadsheet*",)),
        ("images/id_…", ("images/id_*",)),
    )

    def has_layout(self, root: Path) -> bool:
        """Tell whether the spreadsheet lies in ``root``."""
        return find_table(root, TABLES) is not None

    def files(self, root: Path) -> Iterator[DeliveredFile]:
        """Yield every file below ``images``."""
        return layout.files_below(root, [IMAGES])

    def facts(self, root: Path) -> dict[str, ImageFacts] | None:
        """Return facts of the files that the spreadsheet names."""
        paths = {key: file.relative_path for file in self.files(root) if (key := _key(file.relative_path))}
        found = self._rows(root)
        table = found.table
        delivered = ["/".join(key) for key, path in paths.items() if is_image(path)]
        require_join(delivered, {"/".join(key) for key in found.keys if key}, table.name, _PATH)
        columns = (table.optional(*names) for names in (("ViewPosition",), ("PatientSex",), ("PatientAge",)))
        ignored: Counter = Counter()
        facts = {}
        for key, view, sex, age in zip(found.keys, *columns):
            if key is not None and key in paths:
                facts[paths[key]] = ImageFacts(
                    native_image_id="/".join(key),
                    native_study_id="/".join(key[:2]),
                    native_patient_id=key[0],
                    view=_VIEWS.get(view.upper(), "UNKNOWN") if view else None,
                    sex=sex_of(sex),
                    age_years=_age(age, ignored),
                )
        return facts

    def labels(self, root: Path) -> Delivered | None:
        """Return the spreadsheet's values; blank means not mentioned."""
        sheet, found = source_sheet(self.name), self._rows(root)
        said, problems = said_by_columns(found.table, sheet)
        problems += Counter(found.table.problems)
        kept = [row for row, key in enumerate(found.keys) if key is not None]
        keys = [key for key in found.keys if key is not None]
        on_disk = {key for file in self.files(root) if (key := _key(file.relative_path))}
        problems["rows_without_image_name"] = len(found.keys) - len(kept)
        problems["rows_repeating_an_image"] = count_duplicates(keys)
        problems["rows_without_file"] = sum(key not in on_disk for key in keys)
        problems["files_without_row"] = len(on_disk - set(keys))
        for age in found.table.optional("PatientAge"):
            _age(age, problems)
        studies = found.studies()
        return said_table(
            [studies[row] for row in kept], [key[0] for key in keys], said[kept], sheet.labels, dict(+problems)
        )

    def _rows(self, root: Path) -> _Rows:
        """Return the spreadsheet; raises BadTable where its paths name no image, or a study has several patients."""
        table, sheet = read_table(require_table(root, TABLES)), source_sheet(self.name)
        keys = [_key(text) for text in identifiers(table, sheet, _PATH)]
        if keys and not any(keys):
            raise BadTable(
                f"{table.name}: no value of {_PATH!r} names an image",
                accepted="images/id_…/Study_…/Series_…/image-….png, with / or \\",
                do="restore the column as it was published",
            )
        found = _Rows(table, keys)
        if table.position("PatientID") is not None:
            one_patient_each(table, found.studies(), identifiers(table, sheet, "PatientID"))
        return found


def _key(path: str) -> Key | None:
    """Return patient, study, series and image of a path, the suffix aside."""
    found = _KEY.search(path.replace("\\", "/"))
    return tuple(part or "" for part in found.groups()) if found else None


def _age(text: str, problems: Counter) -> float | None:
    """Return an age; "85 or more" is 85. 0 stands for unknown."""
    return age_in_years(text.split(" ")[0], problems) or None
