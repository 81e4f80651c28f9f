"""What a source adapter is: the interface and the records that it hands on.

Adapters know published layouts and nothing else. Identifiers stay native here; they become keyed hashes where tables
are written, so a record of this module must never reach a log.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pyarrow as pa

LABEL_SCHEMA = pa.schema(
    [
        ("native_study_id", pa.string()),
        ("native_patient_id", pa.string()),
        ("class", pa.string()),
        ("said", pa.int8()),
        ("origin", pa.string()),
    ]
)
"""``origin``: expert where radiologists said it, null where it is what the source's sheet says of its labels."""
BOX_SCHEMA = pa.schema(
    [
        ("native_image_id", pa.string()),
        ("native_study_id", pa.string()),
        ("class", pa.string()),
        ("x_px", pa.float64()),
        ("y_px", pa.float64()),
        ("width_px", pa.float64()),
        ("height_px", pa.float64()),
        ("reader", pa.string()),
    ]
)
REPORT_SCHEMA = pa.schema([("native_study_id", pa.string()), ("native_patient_id", pa.string()), ("text", pa.string())])


@dataclass(frozen=True)
class DeliveredFile:
    """One file of the delivery's image folders, of any kind. ``relative_path`` is relative to the source's root."""

    relative_path: str


@dataclass(frozen=True)
class ImageFacts:
    """What a source's own table says of one image; for DICOM deliveries the header says it instead.

    Lengths are in original pixels, spacing in millimetres, age in years, dates as YYYYMMDD. ``official_split``: train,
    validation, test, train_or_validation (one published list for both), or None. ``held_in``: which of the sheet's
    ``held_splits`` the image stands in.
    """

    native_image_id: str
    native_study_id: str
    native_patient_id: str
    view: str | None = None
    age_years: float | None = None
    sex: str | None = None
    study_date: str | None = None
    original_width_px: int | None = None
    original_height_px: int | None = None
    pixel_spacing_mm: tuple[float, float] | None = None
    official_split: str | None = None
    held_in: str | None = field(default=None, repr=False)


@dataclass(frozen=True)
class Delivered:
    """A table read from a delivery, with every problem counted by a short, non-identifying name."""

    table: pa.Table
    problems: Mapping[str, int] = field(default_factory=dict)


class Source(ABC):
    """One dataset's published layout. What an adapter does not say, its source does not have.

    ``folder_names``: under which names people keep it. ``box_frame_px``: width and height of the frame to which its
    boxes refer, None for the delivered image's own. ``box_origin``: what ``box_annotations`` calls its boxes.
    ``parts``: what a delivery is made of, each with patterns of paths below its folder, any of which is that part.
    """

    name: str
    folder_names: tuple[str, ...] = ()
    box_frame_px: tuple[int, int] | None = None
    box_origin: str | None = None
    parts: tuple[tuple[str, tuple[str, ...]], ...] = ()

    @property
    def has_table(self) -> bool:
        """Tell whether a table of its own says what its images are, and not their headers."""
        return type(self).facts is not Source.facts

    @abstractmethod
    def has_layout(self, root: Path) -> bool:
        """Tell whether this source's layout lies in ``root`` itself."""

    def locate(self, sources_root: Path) -> Path | None:
        """Return the first folder with the layout: a sub-folder of one of its names (case aside), else the root
        itself; None where neither has it.
        """
        root = Path(sources_root)
        if not root.is_dir():
            return None
        wanted = [name.casefold() for name in self.folder_names]
        children = sorted(child for child in root.iterdir() if child.is_dir() and child.name.casefold() in wanted)
        for child in sorted(children, key=lambda child: wanted.index(child.name.casefold())):
            if self.has_layout(child):
                return child
        return root if self.has_layout(root) else None

    def mistaken(self, root: Path) -> str | None:
        """Say what a folder is instead that looks like this layout and is another; None where nothing is known."""
        return None

    @abstractmethod
    def files(self, root: Path) -> Iterator[DeliveredFile]:
        """Yield every file under the image folders, by relative path."""

    def facts(self, root: Path) -> dict[str, ImageFacts] | None:
        """Return facts by relative path, or None where the files' own headers say them (DICOM with its identifiers)."""
        return None

    def labels(self, root: Path) -> Delivered | None:
        """Return the values that the source says (LABEL_SCHEMA), or None where reports are read instead."""
        return None

    def boxes(self, root: Path) -> Delivered:
        """Return hand-drawn boxes in original pixels (BOX_SCHEMA); an empty table where the source has none."""
        return Delivered(BOX_SCHEMA.empty_table())

    def reports(self, root: Path) -> Delivered | None:
        """Return the reports as delivered (REPORT_SCHEMA), or None where the source has none."""
        return None
