"""CheXpert v1.0, full size or small: JPEG files, ``train.csv`` and ``valid.csv``."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

import numpy as np

from radia_pipeline.contracts.pools import TRAIN, VALIDATION
from radia_pipeline.contracts.sheets import source_sheet
from radia_pipeline.errors import BadTable
from radia_pipeline.sources import layout
from radia_pipeline.sources.base import Delivered, DeliveredFile, ImageFacts, Source
from radia_pipeline.sources.delivered_tables import (
    TextTable,
    age_in_years,
    count_duplicates,
    find_table,
    header_of,
    read_table,
    sex_of,
)  # fmt: skip
from radia_pipeline.sources.label_map import said_table
from radia_pipeline.sources.value_columns import said_by_columns

TABLES = {TRAIN: "train.csv", VALIDATION: "valid.csv"}
_IMAGE = re.compile(r"(?:^|/)(patient\d+)/(study\d+)/([^/]+)$")
_BATCH = re.compile(r"^CheXpert-v1\.0.* batch ", re.IGNORECASE)


class CheXpert(Source):
    """Stanford's published layout; patient, study and view name an image, since file names repeat."""

    name = "chexpert"
    folder_names = ("chexpert", "CheXpert-v1.0-small", "CheXpert-v1.0", "chexpertchestxrays-u20210408")

    def has_layout(self, root: Path) -> bool:
        """Tell whether a table with CheXpert's columns lies in ``root``."""
        paths = [find_table(root, [name]) for name in TABLES.values()]
        return any("frontal/lateral" in header_of(path) for path in paths if path)

    def files(self, root: Path) -> list[DeliveredFile]:
        """List every file below ``train``, ``valid`` and the batch folders of the full download."""
        folders = [path.name for path in sorted(root.iterdir()) if path.is_dir()]
        return layout.files_below(root, [name for name in folders if name in ("train", "valid") or _BATCH.match(name)])

    def facts(self, root: Path) -> dict[str, ImageFacts] | None:
        """Return facts of the files that a table names, wherever the download put them."""
        paths = {key: file.relative_path for file in self.files(root) if (key := _key(file.relative_path))}
        ignored: Counter = Counter()
        facts = {}
        for pool, table in self._tables(root):
            columns = (table.column("Path"), table.column("Frontal/Lateral"), table.column("AP/PA"))
            for path, side, view, sex, age in zip(*columns, table.optional("Sex"), table.optional("Age")):
                key = _key(path)
                if key is None or key not in paths:
                    continue
                facts[paths[key]] = ImageFacts(
                    native_image_id="/".join(key), native_study_id="/".join(key[:2]), native_patient_id=key[0],
                    view="LATERAL" if side.casefold() == "lateral" else _frontal(view), sex=sex_of(sex),
                    age_years=age_in_years(age, ignored) or None, official_split=pool,
                )  # fmt: skip
        return facts

    def labels(self, root: Path) -> Delivered | None:
        """Return the values of both tables; blank means not mentioned."""
        sheet = source_sheet(self.name)
        problems: Counter = Counter()
        keys, said = [], []
        for _, table in self._tables(root):
            values, unreadable = said_by_columns(table, sheet)
            problems += Counter(table.problems) + unreadable
            found = [_key(path) for path in table.column("Path")]
            problems["rows_without_image_name"] += sum(key is None for key in found)
            kept = [row for row, key in enumerate(found) if key is not None]
            keys += [found[row] for row in kept]
            said.append(values[kept])
            for age in table.optional("Age"):
                age_in_years(age, problems)
        on_disk = {_key(file.relative_path) for file in self.files(root)} - {None}
        problems["rows_repeating_an_image"] = count_duplicates(keys)
        problems["rows_without_file"] = sum(key not in on_disk for key in keys)
        problems["files_without_row"] = len(on_disk - set(keys))
        studies, patients = ["/".join(key[:2]) for key in keys], [key[0] for key in keys]
        return said_table(studies, patients, np.concatenate(said), sheet.labels, problems)

    def _tables(self, root: Path) -> list[tuple[str, TextTable]]:
        tables = [(pool, read_table(path)) for pool, name in TABLES.items() if (path := find_table(root, [name]))]
        if not tables:
            raise BadTable(f"No CheXpert table in {root}", accepted="train.csv, valid.csv", do="complete the delivery")
        return tables


def _key(path: str) -> tuple[str, str, str] | None:
    """Return (patient, study, file name) of a path in any of the download's forms."""
    found = _IMAGE.search(path)
    return found.groups() if found else None


def _frontal(view: str) -> str:
    return view.upper() if view.upper() in ("AP", "PA") else "UNKNOWN"
