"""Which images show the same exposure, over all sources: same pixels, dropped duplicates, near-duplicates.

Links are the only thing that joins patients of different sources. A group that links would make of more than five
patients joins nobody until a person confirms: a test picture or a phantom, stored under everybody, looks like that. How
copies are found is in ``copies``, what people decided in ``link_decisions``.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from radia_pipeline.cohort.copies import Copies, Films, find_copies
from radia_pipeline.cohort.flags import BLANK, is_flagged
from radia_pipeline.cohort.groups import group_of
from radia_pipeline.cohort.link_decisions import CONFIRMED, NEAR_DUPLICATE, decisions
from radia_pipeline.contracts.tables import conform
from radia_pipeline.lake.lake import Lake

MOST_PATIENTS = 5
"""Patients that links may join without being looked at by a person."""
LINKED, LISTED = "linked", "listed"
JOINING = (LINKED, CONFIRMED)
"""States of links that join their patients; ``listed`` ones wait for a person, ``rejected`` ones do not."""
_COLUMNS = ["source", "image_id", "patient_key", "path", "pixel_sha256", "flags"]


@dataclass(frozen=True)
class LinksResult:
    """Links written by kind and by state, how many join two sources, and what was compared.

    ``searched``: images that are new or changed and asked for copies of themselves; ``candidates``: pairs that were
    compared on pixels; ``large_groups``: groups that wait for a person.
    """

    links: int
    kinds: Mapping[str, int]
    across_sources: int
    images: int
    candidates: int
    sources: tuple[str, ...]
    searched: int = 0
    states: Mapping[str, int] = field(default_factory=dict)
    large_groups: int = 0
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
    near, copies = _near(lake, images, linked)
    rows += near
    large = _set_states(lake, rows)
    problems["groups_that_wait_for_a_person"] = large
    written = lake.write("image_links", conform("image_links", rows))
    return LinksResult(
        links=len(rows),
        kinds=dict(Counter(row["kind"] for row in rows)),
        across_sources=sum(row["source_a"] != row["source_b"] for row in rows),
        images=len(images),
        candidates=copies.compared,
        sources=present,
        searched=copies.searched,
        states=dict(Counter(row["state"] for row in rows)),
        large_groups=large,
        unreadable=copies.unreadable,
        problems=dict(+problems),
        version=written.version,
    )


def _link(kind: str, one: tuple[str, str, str], other: tuple[str, str, str], distance: float = 0.0) -> dict:
    """Return a row; each end is (source, image_id, patient_key)."""
    return {
        "source_a": one[0],
        "image_id_a": one[1],
        "patient_key_a": one[2],
        "source_b": other[0],
        "image_id_b": other[1],
        "patient_key_b": other[2],
        "kind": kind,
        "distance": distance,
    }


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


def _near(lake: Lake, images: pa.Table, linked: set[tuple[str, str]]) -> tuple[list[dict], Copies]:
    """Return near-duplicate rows, and what was searched and compared for them."""
    usable = ~is_flagged(images.column("flags"), BLANK)  # they resemble one another without being one exposure
    places = np.flatnonzero(usable)
    part = images.take(pa.array(places, pa.int64()))
    patients = part.column("patient_key").combine_chunks().dictionary_encode().indices.to_numpy(zero_copy_only=False)
    films = Films(part.column("image_id").to_pylist(), part.column("path").to_pylist(), patients)
    copies = find_copies(lake, films)
    ends = _ends(images, places)
    rows = [_link(NEAR_DUPLICATE, ends[one], ends[other], 1.0 - value) for one, other, value in copies.pairs]
    return [row for row in rows if (row["image_id_a"], row["image_id_b"]) not in linked], copies


def _set_states(lake: Lake, rows: list[dict]) -> int:
    """Say of each link whether it joins its patients, and return how many groups wait for a person.

    Equal pixels always do. Of near-duplicates holds what a person decided; of the others those join that make no group
    of more than MOST_PATIENTS.
    """
    decided = decisions(lake)
    for row in rows:
        said = decided.get(tuple(sorted((row["image_id_a"], row["image_id_b"]))))
        row["state"] = said.kind if said is not None and row["kind"] == NEAR_DUPLICATE else LINKED
    joined = [(row["patient_key_a"], row["patient_key_b"]) for row in rows if row["state"] in JOINING]
    patients = sorted({key for pair in joined for key in pair})
    groups = dict(zip(patients, group_of(patients, joined).tolist()))
    sizes = Counter(groups.values())
    large = {group for group, size in sizes.items() if size > MOST_PATIENTS}
    waiting = set()
    for row in rows:
        group = groups.get(row["patient_key_a"])
        if row["state"] == LINKED and row["kind"] == NEAR_DUPLICATE and group in large:
            row["state"] = LISTED
            waiting.add(group)
    return len(waiting)


def joining(links: pa.Table) -> pa.Table:
    """Return the links that join their patients; those of before ``state`` all do."""
    states = links.column("state")
    return links.filter(pc.or_kleene(pc.is_null(states), pc.is_in(states, value_set=pa.array(JOINING))))
