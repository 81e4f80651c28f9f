"""Which images show the same exposure, over all sources: same pixels, dropped duplicates, near-duplicates.

Links are the only thing that joins patients of different sources. How pixels are compared is in ``near_duplicates``.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa

from radia_pipeline.cohort.flags import BLANK, is_flagged
from radia_pipeline.cohort.near_duplicates import confirm, search
from radia_pipeline.cohort.thumbnails import thumbnails_of
from radia_pipeline.contracts.tables import conform
from radia_pipeline.lake.lake import Lake

_COLUMNS = ["source", "image_id", "patient_key", "path", "pixel_sha256", "flags"]


@dataclass(frozen=True)
class LinksResult:
    """Links written by kind, how many join two sources, and what was compared."""

    links: int
    kinds: Mapping[str, int]
    across_sources: int
    images: int
    candidates: int
    sources: tuple[str, ...]
    unreadable: int = 0
    problems: Mapping[str, int] = field(default_factory=dict)
    version: str = ""


def build_image_links(lake: Lake) -> LinksResult:
    """Write ``image_links`` over every source in ``images`` (and ``duplicates``, where it exists).

    Links join images of different patients, and name each pair once, the smaller (source, image_id) first. Raises
    MissingTable where no source has been ingested.
    """
    present = tuple(lake.partitions("images"))
    images = lake.read("images", columns=_COLUMNS).sort_by([("source", "ascending"), ("image_id", "ascending")])
    problems: Counter = Counter()
    rows = _same_pixels(images)
    linked = {(row["image_id_a"], row["image_id_b"]) for row in rows}
    rows += _dropped(lake, images, problems)
    near, compared, unreadable = _near(lake, images, linked)
    rows += near
    written = lake.write("image_links", conform("image_links", rows))
    return LinksResult(
        links=len(rows), kinds=dict(Counter(row["kind"] for row in rows)),
        across_sources=sum(row["source_a"] != row["source_b"] for row in rows), images=len(images), candidates=compared,
        sources=present, unreadable=unreadable, problems=dict(+problems), version=written.version,
    )  # fmt: skip


def _link(kind: str, one: tuple[str, str, str], other: tuple[str, str, str], distance: float = 0.0) -> dict:
    """Return a row; each end is (source, image_id, patient_key)."""
    return {
        "source_a": one[0], "image_id_a": one[1], "patient_key_a": one[2],
        "source_b": other[0], "image_id_b": other[1], "patient_key_b": other[2], "kind": kind, "distance": distance,
    }  # fmt: skip


def _ends(images: pa.Table, places: np.ndarray) -> list[tuple[str, str, str]]:
    part = images.select(["source", "image_id", "patient_key"]).take(pa.array(places, pa.int64()))
    return list(zip(*(column.to_pylist() for column in part.columns)))


def _same_pixels(images: pa.Table) -> list[dict]:
    """Link every image to the first with the same decoded stored values and shape."""
    codes = images.column("pixel_sha256").combine_chunks().dictionary_encode().indices.to_numpy(zero_copy_only=False)
    _, first, inverse = np.unique(codes, return_index=True, return_inverse=True)
    earlier = first[inverse]
    again = np.flatnonzero(earlier != np.arange(len(codes)))
    return [_link("same_pixels", one, other) for one, other in zip(_ends(images, earlier[again]), _ends(images, again))]


def _dropped(lake: Lake, images: pa.Table, problems: Counter) -> list[dict]:
    """Link the kept image's patient with the patient under whom the same pixels came again."""
    end_of = {end[1]: end for end in _ends(images, np.arange(len(images)))}
    rows = []
    for name in lake.partitions("duplicates"):
        for row in lake.read("duplicates", name, columns=["file_id", "kept_image_id", "patient_key"]).to_pylist():
            kept = end_of.get(row["kept_image_id"])
            if kept is None or row["patient_key"] is None:
                problems["duplicates_without_patient_or_image"] += 1
            elif kept[2] != row["patient_key"]:
                rows.append(_link("dropped_duplicate", kept, (name, row["file_id"], row["patient_key"])))
    return rows


def _near(lake: Lake, images: pa.Table, linked: set[tuple[str, str]]) -> tuple[list[dict], int, int]:
    """Return near-duplicate rows, the number of pairs compared on pixels, and images that could not be read."""
    usable = ~is_flagged(images.column("flags"), BLANK)  # they resemble one another without being one exposure
    sources = np.array(images.column("source").to_pylist(), dtype=object)
    paths = np.array(images.column("path").to_pylist(), dtype=object)
    pictures, readable = [], []
    for name in sorted(set(sources.tolist())):
        of_source = thumbnails_of(lake, name, paths[sources == name].tolist())
        pictures.append(of_source[0])
        readable.append(of_source[1])
    if not pictures:
        return [], 0, 0
    seen = np.concatenate(readable)
    places = np.flatnonzero(usable & seen)
    patients = (
        images.column("patient_key").combine_chunks().dictionary_encode().indices.to_numpy(zero_copy_only=False)[places]
    )
    first, second = search(np.concatenate(pictures)[places], lambda a, b: patients[a] != patients[b])
    matches = confirm([lake.root / path for path in paths[places]], first, second)
    ends = _ends(images, places)
    rows = [_link("near_duplicate", ends[match.first], ends[match.second], match.distance) for match in matches]
    rows = [row for row in rows if (row["image_id_a"], row["image_id_b"]) not in linked]
    return rows, len(first), int((~seen).sum())
