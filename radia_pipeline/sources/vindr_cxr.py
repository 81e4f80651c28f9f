"""VinDr-CXR: DICOM files with several readers' labels and boxes, in PhysioNet's or Kaggle's layout."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from radia_pipeline.contracts.label_values import MISSING, NEGATIVE, POSITIVE, UNCERTAIN
from radia_pipeline.contracts.pools import TEST, TRAIN
from radia_pipeline.contracts.sheets import SourceSheet, source_sheet
from radia_pipeline.sources import layout
from radia_pipeline.sources.base import BOX_SCHEMA, Delivered, DeliveredFile, ImageFacts, Source
from radia_pipeline.sources.delivered_tables import (
    TextTable,
    as_float,
    find_table,
    header_of,
    read_table,
    require_table,
)
from radia_pipeline.sources.identifiers import identifiers
from radia_pipeline.sources.joins import is_image, require_join
from radia_pipeline.sources.label_map import open_classes, said_table, targets_of
from radia_pipeline.sources.reader_boxes import ReaderBox, agreed_boxes

POOLS = {"train": TRAIN, "test": TEST}
_KAGGLE = "train.csv"
_KAGGLE_FOLDER = "train"
_CONSENSUS = "consensus"


class VinDrCxr(Source):
    """Both published layouts. Neither names patients or studies: an image is its own study and patient."""

    name = "vindr_cxr"
    folder_names = ("vindr_cxr", "vindr-cxr", "vinbigdata-chest-xray-abnormalities-detection", "1.0.0")
    box_origin = "vindr"

    parts = (
        (
            "annotations/image_labels_train.csv, or Kaggle's train.csv",
            ("annotations/image_labels_*.csv*", "image_labels_*.csv*", "train.csv*"),
        ),
        ("DICOM files in train or test", ("train/*.dic*", "test/*.dic*")),
    )

    def has_layout(self, root: Path) -> bool:
        """Tell whether PhysioNet's annotations or Kaggle's table lie in ``root``, with this dataset's labels."""
        labels = _physionet(root, "image_labels")
        return (bool(labels) and not _foreign(labels)) or _is_kaggle(root)

    def mistaken(self, root: Path) -> str | None:
        """Say so of VinDr-PCXR, whose tables have the same names."""
        if not _foreign(_physionet(root, "image_labels")):
            return None
        return "these label columns are another dataset's (VinDr-PCXR, of children, has the same file names)"

    def files(self, root: Path) -> Iterator[DeliveredFile]:
        """Yield every file below ``train`` and ``test``."""
        return layout.files_below(root, list(POOLS))

    def facts(self, root: Path) -> dict[str, ImageFacts] | None:
        """Return identifiers by file name: the headers hold none. All are published as PA, where no header says
        otherwise.
        """
        held = source_sheet(self.name).held_splits
        facts = {}
        for file in self.files(root):
            image = layout.stem(file.relative_path)
            split = file.relative_path.split("/", 1)[0]
            facts[file.relative_path] = ImageFacts(
                image,
                image,
                image,
                view="PA",
                official_split=POOLS.get(split),
                held_in=split if split in held else None,
            )
        return facts

    def labels(self, root: Path) -> Delivered | None:
        """Return one value per image and class from its readers: half or more → 1, fewer → −1, none → 0.

        A class that an image's table did not ask for stays null (Kaggle's release lacks the global ones).
        """
        sheet = source_sheet(self.name)
        problems: Counter = Counter()
        readings = _readings(root, problems)
        images, said = agree(readings, sheet, problems)
        files = [file.relative_path for file in self.files(root)]
        on_disk = {layout.stem(path) for path in files}
        asked = (_KAGGLE_FOLDER,) if _is_kaggle(root) else tuple(split for split, _ in _physionet(root, "image_labels"))
        delivered = [layout.stem(path) for path in files if path.split("/", 1)[0] in asked and is_image(path)]
        require_join(delivered, set(images), "The label table", "image_id")
        problems["rows_without_file"] = len(set(images) - on_disk)
        problems["files_without_row"] = len(on_disk - set(images))
        return said_table(images, images, said, sheet.labels, problems)

    def boxes(self, root: Path) -> Delivered:
        """Return the boxes on which at least half of an image's readers agree, in pixels of the delivered image.

        Rows without a box or a class, and boxes of a minority, are counted.
        """
        is_kaggle = _is_kaggle(root)
        tables = (
            [read_table(require_table(root, [_KAGGLE]))]
            if is_kaggle
            else [read_table(path) for _, path in _physionet(root, "annotations")]
        )
        label_map = source_sheet(self.name).label_map
        problems: Counter = Counter()
        drawn: list[ReaderBox] = []
        for table in tables:
            problems += Counter(table.problems)
            drawn += _boxes(table, label_map, problems)
        readers = {image: len(given) for part in _readings(root, Counter()) for image, given in part.by_image.items()}
        agreed = agreed_boxes(drawn, readers, problems)
        columns: dict[str, list] = {name: [] for name in BOX_SCHEMA.names}
        for image, name, reader, (left, top, right, bottom) in agreed:
            for key, value in zip(
                BOX_SCHEMA.names, (image, image, name, left, top, right - left, bottom - top, reader)
            ):
                columns[key].append(value)
        return layout.box_table(columns, dict(+problems))


@dataclass(frozen=True)
class Readings:
    """What the readers of one table said. ``asked``: the tokens that the table offered to each of them;
    ``by_image``: image → reader → tokens that the reader gave."""

    asked: frozenset[str]
    by_image: Mapping[str, Mapping[str, set[str]]]


def agree(tables: Iterable[Readings], sheet: SourceSheet, problems: Counter) -> tuple[list[str], np.ndarray]:
    """Return the images, sorted, and int8 (images, labels) of several tables.

    A class counts a reader once, however many of its tokens or boxes the reader gave. Nobody's vote is 0 where the
    table asked for the class, and blank where a token leaves it open.
    """
    targets = {token: [name for name, _ in targets_of(entry)] for token, entry in sheet.label_map.items()}
    opened = open_classes(sheet)
    found: dict[str, np.ndarray] = {}
    for table in tables:
        asked = {name for token in table.asked for name in targets.get(token, ())}
        for image, readers in table.by_image.items():
            votes: Counter = Counter()
            for tokens in readers.values():
                problems["unknown_label_tokens"] += sum(token not in targets for token in tokens)
                votes.update({name for token in tokens for name in targets.get(token, ())})
            open_ = {name for tokens in readers.values() for token in tokens for name in opened.get(token, ())}
            found[image] = np.array(
                [
                    MISSING
                    if name not in asked or (name in open_ and not votes[name])
                    else _verdict(votes[name], len(readers))
                    for name in sheet.labels
                ],
                dtype=np.int8,
            )
    images = sorted(found)
    empty = np.zeros((0, len(sheet.labels)), dtype=np.int8)
    return images, np.stack([found[image] for image in images]) if images else empty


def _verdict(votes: int, readers: int) -> int:
    if not votes:
        return NEGATIVE
    return POSITIVE if 2 * votes >= readers else UNCERTAIN


def _physionet(root: Path, kind: str) -> list[tuple[str, Path]]:
    """Return (pool, path) of PhysioNet's tables of a kind, in ``annotations`` or beside the images."""
    names = {pool: [f"annotations/{kind}_{pool}.csv", f"{kind}_{pool}.csv"] for pool in POOLS}
    return [(pool, path) for pool, paths in names.items() if (path := find_table(root, paths))]


def _foreign(tables: Iterable[tuple[str, Path]]) -> bool:
    """Tell whether most label columns of a table are none of this dataset's."""
    known = {name.casefold() for name in source_sheet(VinDrCxr.name).label_map}
    for _, path in tables:
        labels = set(header_of(path)) - {"image_id", "rad_id"}
        if 2 * len(labels & known) < len(labels):
            return True
    return False


def _is_kaggle(root: Path) -> bool:
    path = find_table(root, [_KAGGLE])
    return path is not None and {"class_name", "rad_id", "x_min"} <= set(header_of(path))


def _readings(root: Path, problems: Counter) -> list[Readings]:
    if _is_kaggle(root):
        return [_kaggle_readings(root, problems)]
    return [_physionet_readings(path, problems) for _, path in _physionet(root, "image_labels")]


def _physionet_readings(path: Path, problems: Counter) -> Readings:
    table = read_table(path)
    problems += Counter(table.problems)
    names = [name for name in table.header if name not in ("image_id", "rad_id")]
    columns = [table.column(name) for name in names]
    readers = [reader or _CONSENSUS for reader in table.optional("rad_id")]
    readings: dict[str, dict[str, set[str]]] = {}
    for row, (image, reader) in enumerate(zip(_images(table), readers)):
        given = {name for name, column in zip(names, columns) if (as_float(column[row]) or 0) > 0}
        readings.setdefault(image, {}).setdefault(reader, set()).update(given)
    return Readings(frozenset(names), readings)


def _kaggle_readings(root: Path, problems: Counter) -> Readings:
    table = read_table(require_table(root, [_KAGGLE]))
    problems += Counter(table.problems)
    readings: dict[str, dict[str, set[str]]] = {}
    for image, reader, name in zip(_images(table), table.column("rad_id"), table.column("class_name")):
        readings.setdefault(image, {}).setdefault(reader, set()).add(name)
    return Readings(frozenset(source_sheet(VinDrCxr.name).asked_labels[_KAGGLE]), readings)


def _images(table: TextTable) -> list[str]:
    return identifiers(table, source_sheet(VinDrCxr.name), "image_id")


def _boxes(table: TextTable, label_map: Mapping, problems: Counter) -> Iterator[ReaderBox]:
    corners = zip(*([as_float(text) for text in table.column(name)] for name in ("x_min", "y_min", "x_max", "y_max")))
    rows = zip(_images(table), table.column("class_name"), table.optional("rad_id"), corners)
    for image, token, reader, (left, top, right, bottom) in rows:
        if token not in label_map:
            problems["unknown_label_tokens"] += 1
        elif None in (left, top, right, bottom):
            problems["rows_that_are_no_box"] += token.casefold() != "no finding"
        elif right <= left or bottom <= top:
            problems["rows_that_are_no_box"] += 1
        else:
            for name, _ in targets_of(label_map[token]):
                yield ReaderBox(image, name, reader or _CONSENSUS, (left, top, right, bottom))
