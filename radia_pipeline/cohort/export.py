"""The manifest in the formats that others read, each with Croissant metadata beside it.

Only de-identified columns leave; image files are named by path relative to the lake and stay where they are. Rows go
through in parts, so that memory does not grow with them. How a format is written is in ``export_formats``.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from radia_pipeline.cohort.croissant import DataFile
from radia_pipeline.cohort.croissant import croissant as describe
from radia_pipeline.cohort.export_formats import FORMATS
from radia_pipeline.contracts.tables import contract
from radia_pipeline.errors import MissingTable, UnknownName
from radia_pipeline.lake import atomic
from radia_pipeline.lake.lake import Lake

_ROWS = 20_000
_CHUNK_BYTES = 1 << 20


@dataclass(frozen=True)
class ExportResult:
    """What was written: the data file, its metadata, how many images and boxes it holds, and what the format lost."""

    format: str
    path: Path
    croissant: Path
    images: int
    boxes: int
    sources: tuple[str, ...]
    lost: str = ""


@dataclass
class _Parts:
    """The manifest's rows in parts, as often as they are asked for; counted the first time."""

    lake: Lake
    sources: tuple[str, ...]
    with_excluded: bool
    images: int = 0
    boxes: int = 0

    def __call__(self) -> Iterator[pa.Table]:
        """Yield the rows of all sources, one after the other."""
        is_first = not self.images
        names = list(contract("manifest").columns)
        for source in self.sources:
            for part in self.lake.batches("manifest", source, names, _ROWS):
                kept = part if self.with_excluded else part.filter(pc.is_null(part.column("excluded")))
                if is_first:
                    self.images += len(kept)
                    self.boxes += int(pc.sum(pc.list_value_length(kept.column("boxes"))).as_py() or 0)
                if len(kept):
                    yield kept


def export_manifest(
    lake: Lake, to: str, folder: Path, *, sources: Iterable[str] | None = None, with_excluded: bool = False
) -> ExportResult:
    """Write the manifests of some sources (default: all) to ``folder`` as ``to``, with Croissant metadata beside them.

    Rows that are excluded, by a late link or as held, are left out unless asked for. Raises UnknownName for another
    format, MissingTable where there is no manifest.
    """
    if to not in FORMATS:
        raise UnknownName(f"Unknown export format {to!r}", accepted=", ".join(FORMATS))
    names = tuple(sources or lake.partitions("manifest"))
    if not names or not all(lake.exists("manifest", name) for name in names):
        raise MissingTable("The table manifest has not been made", do="materialize it, or run `radia run` up to it")
    form, parts = FORMATS[to], _Parts(lake, names, with_excluded)
    path = Path(folder) / form.file_name
    with atomic.replace_file(path) as unfinished:
        form.write(parts, unfinished)
    file = DataFile(form.file_name, path.stat().st_size, _sha256(path))
    metadata = describe(file, form.record_sets(form.file_name), names, lake, form.lost)
    croissant = Path(folder) / "croissant.json"
    atomic.write_text(croissant, json.dumps(metadata, indent=1, ensure_ascii=False) + "\n")
    return ExportResult(to, path, croissant, parts.images, parts.boxes, names, form.lost)


def _sha256(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as handle:
        while chunk := handle.read(_CHUNK_BYTES):
            digest.update(chunk)
    return digest.hexdigest()
