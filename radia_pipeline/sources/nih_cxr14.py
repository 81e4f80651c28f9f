"""NIH ChestX-ray14: PNG files, ``Data_Entry_2017_v2020.csv`` and ``BBox_List_2017.csv``."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from radia_pipeline.contracts.pools import TEST, TRAIN, TRAIN_OR_VALIDATION, VALIDATION
from radia_pipeline.contracts.sheets import source_sheet
from radia_pipeline.sources import google_rereads, layout
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
from radia_pipeline.sources.identifiers import identifiers
from radia_pipeline.sources.joins import is_image, require_join
from radia_pipeline.sources.label_map import TokenMap, said_table, targets_of

ENTRIES = ("Data_Entry_2017_v2020.csv", "Data_Entry_2017.csv")
BOXES = ("BBox_List_2017.csv",)
SPLIT_LISTS = {
    TRAIN: ("nih_official_train.txt",),
    VALIDATION: ("nih_official_val.txt",),
    TEST: ("nih_official_test.txt", "test_list.txt"),
    TRAIN_OR_VALIDATION: ("train_val_list.txt",),
}
PUBLISHED_SIDE_PX = 1024
"""Side of the published square images, to which the box file refers."""
_VIEWS = {"PA": "PA", "AP": "AP", "LL": "LATERAL", "LATERAL": "LATERAL"}


class NihCxr14(Source):
    """NIH's published layout, whole or in part; image folders may be one or the twelve of the download."""

    name = "nih_cxr14"
    folder_names = ("nih_cxr14", "NIH", "ChestX-ray14", "CXR8")
    box_frame_px = (PUBLISHED_SIDE_PX, PUBLISHED_SIDE_PX)
    box_origin = "nih"
    parts = (
        ("Data_Entry_2017_v2020.csv or Data_Entry_2017.csv", ("Data_Entry_2017*",)),
        ("images in images or images_001 to images_012", ("images*",)),
    )

    def has_layout(self, root: Path) -> bool:
        """Tell whether the label table lies in ``root``."""
        return find_table(root, ENTRIES) is not None

    def files(self, root: Path) -> Iterator[DeliveredFile]:
        """Yield every file below ``images`` or ``images_001`` … ``images_012``."""
        folders = [path.name for path in sorted(root.glob("images*")) if path.is_dir()]
        return layout.files_below(root, folders)

    def facts(self, root: Path) -> dict[str, ImageFacts] | None:
        """Return facts of the files that the label table names; a file without a row gets none (and is counted at
        ingest).

        Sizes are left to the file: the table's are those of the film before the publisher's rescaling, so its pixel
        spacing is scaled to the published 1024-pixel frame only where the film's size is given.
        """
        paths = layout.by_file_name(self.files(root))
        splits, reread = self._official_splits(root), google_rereads.held_in(root)
        table = self._entries(root)
        names, studies, patients = _identifiers(table)
        require_join([name for name in paths if is_image(name)], set(names), table.name, "Image Index")
        columns = zip(
            names,
            studies,
            patients,
            table.optional("View Position"),
            table.optional("Patient Age"),
            table.optional("Patient Gender"),
        )
        ignored: Counter = Counter()
        facts = {}
        for name, study, patient, view, age, sex in columns:
            for path in paths.get(name, ()):
                facts[path] = ImageFacts(
                    native_image_id=name,
                    native_study_id=study,
                    native_patient_id=patient,
                    view=_VIEWS.get(view.upper()),
                    age_years=age_in_years(age, ignored),
                    sex=sex_of(sex),
                    official_split=splits.get(name),
                    held_in=reread.get(name),
                )
        return facts

    def labels(self, root: Path) -> Delivered | None:
        """Return every labelled class of every row; absent means 0. One patient's follow-up number is the study.

        What radiologists said of images that they read again stands in the place of what the table says.
        """
        table = self._entries(root)
        names, studies, patients = _identifiers(table)
        tokens = TokenMap(source_sheet(self.name))
        said, unknown = tokens.said(text.split("|") for text in table.column("Finding Labels"))
        problems = Counter(table.problems) + unknown
        classes, said, is_expert = google_rereads.on_top(root, names, tokens.classes, said, problems)
        for age in table.optional("Patient Age"):
            age_in_years(age, problems)
        problems["rows_repeating_an_image"] = count_duplicates(names)
        on_disk = set(layout.by_file_name(self.files(root)))
        problems["rows_without_file"] = sum(1 for name in names if name not in on_disk)
        problems["files_without_row"] = len(on_disk - set(names))
        return said_table(studies, patients, said, classes, problems, is_expert=is_expert)

    def boxes(self, root: Path) -> Delivered:
        """Return the radiologists' boxes in pixels of the published 1024 × 1024 image; rows that are no box are
        counted.
        """
        path = find_table(root, BOXES)
        if path is None:
            return super().boxes(root)
        table = read_table(path, width=6)
        entries = self._entries(root)
        study_of = dict(zip(*_identifiers(entries)[:2]))
        label_map = source_sheet(self.name).label_map
        problems = Counter({name: count for name, count in table.problems.items() if name != "long_rows"})
        columns: dict[str, list] = {name: [] for name in layout.BOX_SCHEMA.names}
        for image, token, *corner in zip(
            table.column("Image Index"), table.column("Finding Label"), *_box_numbers(table)
        ):
            targets = targets_of(label_map.get(token))
            if not targets or None in corner or min(corner[2:]) <= 0:
                problems["rows_that_are_no_box" if targets else "unknown_label_tokens"] += 1
                continue
            for name, _ in targets:
                row = (image, study_of.get(image), name, *corner, "nih")
                for key, value in zip(layout.BOX_SCHEMA.names, row):
                    columns[key].append(value)
        return layout.box_table(columns, dict(+problems))

    def _entries(self, root: Path) -> TextTable:
        return read_table(require_table(root, ENTRIES))

    def _official_splits(self, root: Path) -> dict[str, str]:
        splits: dict[str, str] = {}
        for pool, names in SPLIT_LISTS.items():
            path = find_table(root, names)
            if path is None:
                continue
            for row in read_lines(path):
                splits.setdefault(row, pool)
        return splits


def read_lines(path: Path) -> list[str]:
    """Return the non-empty lines of a plain list of file names."""
    table = read_table(path)
    return [line for line in [table.header[0], *(row[0].strip() for row in table.rows)] if line]


def _identifiers(table: TextTable) -> tuple[list[str], list[str], list[str]]:
    """Return image names, study ids (patient and follow-up number, which together are unique) and patients."""
    sheet = source_sheet(NihCxr14.name)
    names = identifiers(table, sheet, "Image Index")
    patients = [patient.lstrip("0") for patient in identifiers(table, sheet, "Patient ID")]
    has_numbers = table.position("Follow-up #") is not None
    numbers = identifiers(table, sheet, "Follow-up #") if has_numbers else [""] * len(table)
    studies = [
        f"{patient.zfill(8)}_{number.zfill(3)}" if number else name.rsplit(".", 1)[0]
        for name, patient, number in zip(names, patients, numbers)
    ]
    return names, studies, patients


def _box_numbers(table: TextTable) -> list[list[float | None]]:
    """Return x, y, w, h columns; the header's third name, ``Bbox [x,y,w,h]``, holds commas of its own."""
    return [[as_float(row[position]) for row in table.rows] for position in (2, 3, 4, 5)]
