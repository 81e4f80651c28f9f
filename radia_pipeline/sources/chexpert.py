"""CheXpert v1.0, full size or small: JPEG files, ``train.csv``, ``valid.csv`` and the test set's table.

Boxes of CheXlocalize, which outlines findings in the same images, are read in ``chexlocalize``; CheXpert Plus, which
publishes them anew with other tables, in ``chexpert_plus``.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from radia_pipeline.contracts.pools import TEST, TRAIN, VALIDATION
from radia_pipeline.contracts.sheets import source_sheet
from radia_pipeline.errors import BadTable
from radia_pipeline.sources import chexlocalize, chexpert_plus, layout
from radia_pipeline.sources.base import Delivered, DeliveredFile, ImageFacts, Source
from radia_pipeline.sources.delivered_tables import (
    TextTable,
    age_in_years,
    count_duplicates,
    find_table,
    header_of,
    read_table,
    sex_of,
)
from radia_pipeline.sources.identifiers import identifiers
from radia_pipeline.sources.joins import is_image, require_join
from radia_pipeline.sources.label_map import said_table
from radia_pipeline.sources.value_columns import said_by_columns

TABLES = {
    "train": ("train.csv",),
    "valid": ("valid.csv", "val_labels.csv"),
    "test": ("test_labels.csv", "test.csv", "groundtruth.csv"),
}
"""Published split → names under which its table is handed on."""
_POOLS = {"train": TRAIN, "valid": VALIDATION, "test": TEST}
_FOLDERS = (*TABLES, chexpert_plus.IMAGE_FOLDER)
_SIGNS = ({"path", "frontal/lateral"}, {"path", "enlarged cardiomediastinum"})
_KEY = re.compile(r"(?:^|/)(patient\d+)/(study\d+)/([^/]+)$")
_BATCH = re.compile(r"^CheXpert-v1\.0.* batch ", re.IGNORECASE)
_TABLES_FOLDER = re.compile(r"^CheXpert-v1\.0.* batch 1 .*csv", re.IGNORECASE)


@dataclass(frozen=True)
class _Part:
    """One split's table with the key of each row, None where its path names no image.

    ``is_read``: whether its values are what people read in the images, where the split is one that they read.
    """

    split: str
    table: TextTable
    keys: list[tuple[str, str, str] | None]
    is_read: bool = True


class CheXpert(Source):
    """Stanford's published layout; patient, study and view name an image, since file names repeat."""

    name = "chexpert"
    folder_names = ("chexpert", "CheXpert-v1.0-small", "CheXpert-v1.0", "chexpertchestxrays-u20210408", "chexpertplus")
    box_origin = "chexlocalize"
    parts = (
        (
            "train.csv, valid.csv, test_labels.csv or df_chexpert_plus_*.csv",
            ("train.csv*", "valid.csv*", "test_labels.csv*", "CheXpert-*batch 1*", "df_chexpert_plus_*"),
        ),
        ("patient folders in train, valid, test, PNG or the batches", ("*/patient*", "PNG/*/patient*")),
    )

    def has_layout(self, root: Path) -> bool:
        """Tell whether a table with CheXpert's columns lies in ``root`` or in the full download's first batch."""
        headers = (set(header_of(path)) for _, path in _tables(root))
        return any(sign <= header for header in headers for sign in _SIGNS) or chexpert_plus.table_of(root) is not None

    def files(self, root: Path) -> Iterator[DeliveredFile]:
        """Yield every file below ``train``, ``valid``, ``test``, CheXpert Plus's ``PNG`` and the batch folders of the
        full download, its tables left out.
        """
        folders = [path.name for path in sorted(root.iterdir()) if path.is_dir()]
        tables = {path.relative_to(root).as_posix() for _, path in _tables(root)}
        found = layout.files_below(root, [name for name in folders if name in _FOLDERS or _BATCH.match(name)])
        return (file for file in found if file.relative_path not in tables)

    def facts(self, root: Path) -> dict[str, ImageFacts] | None:
        """Return facts of the files that a table names, wherever the download put them."""
        paths = {key: file.relative_path for file in self.files(root) if (key := _key(file.relative_path))}
        parts = self._parts(root)
        _require_join(list(paths), parts)
        held = source_sheet(self.name).held_splits
        ignored: Counter = Counter()
        facts = {}
        for part in parts:
            table = part.table
            columns = (table.optional(name) for name in ("Frontal/Lateral", "AP/PA", "Sex", "Age"))
            for key, side, view, sex, age in zip(part.keys, *columns):
                if key is None or key not in paths:
                    continue
                facts[paths[key]] = ImageFacts(
                    native_image_id="/".join(key),
                    native_study_id="/".join(key[:2]),
                    native_patient_id=key[0],
                    view=_view(side, view, key[2]),
                    sex=sex_of(sex),
                    age_years=age_in_years(age, ignored) or None,
                    official_split=_POOLS[part.split],
                    held_in=part.split if part.split in held else None,
                )
        return facts

    def labels(self, root: Path) -> Delivered | None:
        """Return the values of all tables; blank means not mentioned. Those of valid and test are radiologists'."""
        sheet = source_sheet(self.name)
        problems: Counter = Counter()
        keys, said, expert = [], [], []
        for part in self._parts(root):
            values, unreadable = said_by_columns(part.table, sheet)
            problems += Counter(part.table.problems) + unreadable
            problems["rows_without_image_name"] += sum(key is None for key in part.keys)
            kept = [row for row, key in enumerate(part.keys) if key is not None]
            keys += [key for key in part.keys if key is not None]
            said.append(values[kept])
            expert.append(np.full((len(kept), len(sheet.labels)), part.is_read and part.split in sheet.held_splits))
            for age in part.table.optional("Age"):
                age_in_years(age, problems)
        on_disk = {key for file in self.files(root) if (key := _key(file.relative_path))}
        problems["rows_repeating_an_image"] = count_duplicates(keys)
        problems["rows_without_file"] = sum(key not in on_disk for key in keys)
        problems["files_without_row"] = len(on_disk - set(keys))
        studies, patients = ["/".join(key[:2]) for key in keys], [key[0] for key in keys]
        return said_table(
            studies, patients, np.concatenate(said), sheet.labels, problems, is_expert=np.concatenate(expert)
        )

    def boxes(self, root: Path) -> Delivered:
        """Return a box for each outline of CheXlocalize, where its files lie beside the tables."""
        images = {
            "_".join(key).rsplit(".", 1)[0]: key for file in self.files(root) if (key := _key(file.relative_path))
        }
        return chexlocalize.boxes(root, images, source_sheet(self.name).label_map)

    def _parts(self, root: Path) -> list[_Part]:
        """Return each table's rows. CheXpert Plus stands in for a training table that is not there; images that
        another of CheXpert's own tables names are left to it.
        """
        parts = [_part(split, read_table(path)) for split, path in _tables(root)]
        named = {key for part in parts for key in part.keys}
        has_own = any(part.split == "train" for part in parts)
        published = tuple(source_sheet(self.name).label_map)
        for split, table in () if has_own else chexpert_plus.parts_of(root, published):
            part = _part(split, table, is_read=False)
            new = [row for row, key in enumerate(part.keys) if key not in named]
            table.problems["rows_left_to_chexperts_own_table"] += len(table) - len(new)
            left = replace(table, rows=[table.rows[row] for row in new], lines=[table.lines[row] for row in new])
            parts.append(replace(part, table=left, keys=[part.keys[row] for row in new]))
        if not parts:
            accepted = ", ".join(name for names in TABLES.values() for name in names)
            raise BadTable(f"No CheXpert table in {root}", accepted=accepted, do="complete the delivery")
        return parts


def _part(split: str, table: TextTable, *, is_read: bool = True) -> _Part:
    """Return a table with its keys; raises BadTable where no path names an image."""
    keys = [_key(text) for text in identifiers(table, source_sheet(CheXpert.name), "Path")]
    if keys and not any(keys):
        raise BadTable(
            f"{table.name}: no value of 'Path' names an image",
            accepted="CheXpert-v1.0/train/patient00001/study1/view1_frontal.jpg, with / or \\",
            do="restore the column as it was published",
        )
    return _Part(split, table, keys, is_read)


def _tables(root: Path) -> Iterator[tuple[str, Path]]:
    """Yield (split, path) of each split's table, in ``root`` or in the full download's folder of tables."""
    inside = sorted(path for path in root.iterdir() if _TABLES_FOLDER.match(path.name)) if root.is_dir() else []
    for split, names in TABLES.items():
        found = next((path for folder in (root, *inside) if (path := find_table(folder, names))), None)
        if found is not None:
            yield split, found


def _require_join(images: list[tuple[str, str, str]], parts: list[_Part]) -> None:
    rows = {"/".join(key) for part in parts for key in part.keys if key}
    names = ["/".join(key) for key in images if is_image(key[2])]
    require_join(names, rows, " and ".join(part.table.name for part in parts), "Path")


def _key(path: str) -> tuple[str, str, str] | None:
    """Return (patient, study, file name) of a path in any of the download's forms, as Windows writes them too.

    The same image as PNG has the name that it was first published under.
    """
    found = _KEY.search(path.replace("\\", "/"))
    if not found:
        return None
    patient, study, name = found.groups()
    return patient, study, f"{name[:-4]}.jpg" if name.lower().endswith(".png") else name


def _view(side: str, view: str, file_name: str) -> str:
    """Return the view; a table without these columns (the test set's) leaves frontal or lateral to the file's name."""
    is_lateral = side.casefold() == "lateral" if side else "lateral" in file_name
    if is_lateral:
        return "LATERAL"
    return view.upper() if view.upper() in ("AP", "PA") else "UNKNOWN"
