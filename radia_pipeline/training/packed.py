"""Images at training size in one memory-mapped file per source and size: derived, resumable, may be deleted.

``packed/<source>/<size>px/images.u16`` holds rows of S × S uint16 (``inputs.letterbox``), ``rows.parquet`` says which
image each row is, with its checksum and its file's size and time, so that only new or changed images are packed again,
and the version of what was done to them. What is missing, cut or damaged is packed anew from the stored images.
"""

from __future__ import annotations

import contextlib
import os
import zlib
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from radia_pipeline.errors import DamagedFile
from radia_pipeline.lake.atomic import replace_file
from radia_pipeline.training.inputs import letterbox

if TYPE_CHECKING:
    from radia_pipeline.lake.lake import Lake

CHUNK = 2048
"""Images between two publications of the row table: what a killed packing loses at most."""
PACKING_VERSION = 1
"""Raise it by one when ``letterbox`` comes to other pixels: all is then packed anew. A test holds some of them."""
_VERSION_KEY, _FIRST_VERSION = b"radia.packing_version", b"1"
"""Where the version stands in the row table; the first tables have none."""
_SCHEMA = pa.schema(
    [
        ("image_id", pa.string()),
        ("row", pa.int64()),
        ("crc32", pa.int64()),
        ("size_bytes", pa.int64()),
        ("modified_ns", pa.int64()),
    ],
    metadata={_VERSION_KEY: str(PACKING_VERSION).encode()},
)
OnMended = Callable[[str], None]
"""Is told the image_id of a row that was damaged and has been packed anew."""


@dataclass(frozen=True)
class Wanted:
    """One image to be packed."""

    image_id: str
    path: Path


def wanted_images(
    lake: Lake, sources: Iterable[str], image_ids: Iterable[str], paths: Iterable[str | Path]
) -> dict[str, list[Wanted]]:
    """Return the images of each source as packing wants them, from columns of a manifest (paths inside the lake)."""
    wanted: dict[str, list[Wanted]] = {}
    for source, image_id, path in zip(sources, image_ids, paths):
        wanted.setdefault(source, []).append(Wanted(image_id, lake.root / path))
    return wanted


def wanted_of_manifest(lake: Lake, manifest: pa.Table) -> dict[str, list[Wanted]]:
    """Return each source's images of a manifest, as packing wants them."""
    return wanted_images(lake, *(manifest.column(name).to_pylist() for name in ("source", "image_id", "path")))


class PackedImages:
    """Packed images of several sources under one numbering; each row's checksum is verified when first read."""

    def __init__(self, stores: list[_Store], on_mended: OnMended = lambda _image_id: None) -> None:
        self._stores, self._on_mended = stores, on_mended
        self._maps = [store.open_rows() for store in stores]
        self._checksums = [store.checksums() for store in stores]
        self._verified = [np.zeros(len(rows), dtype=bool) for rows in self._maps]
        self._starts = np.cumsum([0, *(len(rows) for rows in self._maps)])
        self.row_of_image: dict[str, int] = {}
        for start, store in zip(self._starts, stores):
            self.row_of_image.update({image_id: int(start + row) for image_id, row in store.rows().items()})

    def read(self, row: int) -> np.ndarray:
        """Return the (S, S) uint16 image of a row; one whose checksum does not fit is packed anew.

        Raises DamagedFile where the stored image is gone or cannot be decoded.
        """
        part = int(np.searchsorted(self._starts, row, side="right")) - 1
        inside = int(row - self._starts[part])
        image = self._maps[part][inside]
        if not self._verified[part][inside]:
            if zlib.crc32(image.data) != self._checksums[part][inside]:
                image_id, image = self._stores[part].mend(inside)
                self._on_mended(image_id)
                return image
            self._verified[part][inside] = True
        return image


def pack(
    lake: Lake, images: dict[str, list[Wanted]], size_px: int, on_progress: Callable[[int, int], None] = lambda *_: None
) -> PackedImages:
    """Pack what is missing of ``images`` (source -> images) and open all of them.

    Raises DamagedFile for a stored image that is absent or cannot be decoded (named by image_id).
    """
    stores = []
    for source, wanted in images.items():
        with lake.lock(f"packed.{source}.{size_px}", wait_s=7200.0):
            store = _Store(lake.packed_dir / source / f"{size_px}px", size_px, wanted)
            store.add(on_progress)
            stores.append(store)
    return PackedImages(stores)


def open_packed(
    lake: Lake, images: dict[str, list[Wanted]], size_px: int, on_mended: OnMended = lambda _image_id: None
) -> PackedImages:
    """Open packed images that ``pack`` has made, without packing (other processes of the same training)."""
    stores = [_Store(lake.packed_dir / source / f"{size_px}px", size_px, wanted) for source, wanted in images.items()]
    return PackedImages(stores, on_mended)


class _Store:
    """One source at one size."""

    def __init__(self, folder: Path, size_px: int, wanted: list[Wanted]) -> None:
        self.folder, self.size_px, self.wanted = folder, size_px, wanted
        self.pixels, self.index = folder / "images.u16", folder / "rows.parquet"
        self.table = self._read_index()

    def _read_index(self) -> pa.Table:
        """Return the row table; an empty one where there is none of this version that can be read."""
        try:
            table = pq.read_table(self.index)
        except (FileNotFoundError, pa.ArrowInvalid, OSError):
            return _SCHEMA.empty_table()
        version = (table.schema.metadata or {}).get(_VERSION_KEY, _FIRST_VERSION)
        is_ours = version == _SCHEMA.metadata[_VERSION_KEY] and set(_SCHEMA.names) <= set(table.column_names)
        return table.select(_SCHEMA.names).cast(_SCHEMA) if is_ours else _SCHEMA.empty_table()

    @property
    def _row_bytes(self) -> int:
        return 2 * self.size_px * self.size_px

    @property
    def _capacity(self) -> int:
        return (max(self.table.column("row").to_pylist(), default=-1)) + 1

    def rows(self) -> dict[str, int]:
        """image_id -> row."""
        return dict(zip(self.table.column("image_id").to_pylist(), self.table.column("row").to_pylist()))

    def checksums(self) -> np.ndarray:
        """CRC-32 by row; −1 for rows that no image owns."""
        found = np.full(self._capacity, -1, dtype=np.int64)
        found[self.table.column("row").to_numpy()] = self.table.column("crc32").to_numpy()
        return found

    def open_rows(self) -> np.ndarray:
        """Return the rows, memory-mapped for reading: uint16 (rows, S, S)."""
        count = self._capacity
        if count == 0:
            return np.empty((0, self.size_px, self.size_px), dtype=np.uint16)
        if self.pixels.stat().st_size < count * self._row_bytes:
            raise DamagedFile(
                "A packed array became shorter than its row table", do="start again: what is missing is packed anew"
            )
        return np.memmap(self.pixels, dtype=np.uint16, mode="r", shape=(count, self.size_px, self.size_px))

    def mend(self, row: int) -> tuple[str, np.ndarray]:
        """Pack the image of a damaged row anew; returns its image_id and the image, written too where it can be."""
        image_id = next(name for name, at in self.rows().items() if at == row)
        item = next((item for item in self.wanted if item.image_id == image_id), None)
        if item is None:
            raise DamagedFile(f"The packed image {image_id} is damaged", do="start again: it is packed anew")
        image = letterbox(_decode(item), self.size_px)
        if (
            zlib.crc32(image.data) == self.checksums()[row]
        ):  # else another machine's arithmetic: the table would not fit
            with contextlib.suppress(OSError), self.pixels.open("r+b") as handle:
                handle.seek(row * self._row_bytes)
                handle.write(image.tobytes())
        return image_id, image

    def add(self, on_progress: Callable[[int, int], None]) -> None:
        """Pack images that are new, whose file changed, or whose row is cut off."""
        whole = self.pixels.stat().st_size // self._row_bytes if self.pixels.exists() else 0
        known = {record["image_id"]: record for record in self.table.to_pylist() if record["row"] < whole}
        if len(known) < len(self.table):
            self._publish(list(known.values()))
        missing = []
        for item in self.wanted:
            stamp = _stamp(item)
            record = known.get(item.image_id)
            if record is None or (record["size_bytes"], record["modified_ns"]) != stamp:
                missing.append((item, stamp))
        self.folder.mkdir(parents=True, exist_ok=True)
        with ThreadPoolExecutor(max_workers=os.cpu_count() or 1) as pool:
            for start in range(0, len(missing), CHUNK):
                self._add_chunk(missing[start : start + CHUNK], known, pool)
                on_progress(min(start + CHUNK, len(missing)), len(missing))
        if self.index.exists():
            os.utime(self.index)  # its time says when it was last asked for: what nobody asks for is collected

    def _add_chunk(self, chunk: list, known: dict[str, dict], pool: ThreadPoolExecutor) -> None:
        next_row = max((record["row"] for record in known.values()), default=-1) + 1
        rows = []
        for item, _ in chunk:
            record = known.get(item.image_id)
            rows.append(record["row"] if record else next_row)
            next_row += record is None
        with self.pixels.open("r+b" if self.pixels.exists() else "w+b") as handle:
            handle.truncate(max(handle.seek(0, 2), next_row * self._row_bytes))
            images = pool.map(lambda entry: letterbox(_decode(entry[0]), self.size_px), chunk)
            for (item, stamp), row, image in zip(chunk, rows, images):
                handle.seek(row * self._row_bytes)
                handle.write(image.tobytes())
                known[item.image_id] = {
                    "image_id": item.image_id,
                    "row": row,
                    "crc32": zlib.crc32(image.data),
                    "size_bytes": stamp[0],
                    "modified_ns": stamp[1],
                }
            handle.flush()
            os.fsync(handle.fileno())
        self._publish(list(known.values()))

    def _publish(self, records: list[dict]) -> None:
        self.table = pa.Table.from_pylist(records, schema=_SCHEMA)
        with replace_file(self.index) as temporary:
            pq.write_table(self.table, temporary)


def _stamp(item: Wanted) -> tuple[int, int]:
    try:
        status = item.path.stat()
    except FileNotFoundError:
        raise DamagedFile(
            f"The stored image {item.image_id} is absent", do="materialize images and manifest of its source again"
        ) from None
    return status.st_size, status.st_mtime_ns


def _decode(item: Wanted) -> np.ndarray:
    image = cv2.imread(str(item.path), cv2.IMREAD_UNCHANGED)
    if image is None or image.ndim != 2:
        raise DamagedFile(
            f"The stored image {item.image_id} is no grey image that can be decoded",
            do="materialize images of its source again",
        )
    return image
