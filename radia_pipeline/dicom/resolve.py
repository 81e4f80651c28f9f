"""Which file is kept, which is a duplicate, which conflicts: pure decisions over journal lines, whatever their order.

Precedence: quarantined, duplicate, ingested. Of equal files the one already ingested is kept, then the first by path
without its suffix.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from pathlib import PurePosixPath

SAME_BYTES, SAME_PIXELS = "same_bytes", "same_pixels"


@dataclass(frozen=True, slots=True)
class Candidate:
    """An ingestible file: just what the decision needs, so that 400,000 of them fit into memory."""

    path: str
    image_id: str
    pixel_sha256: str
    file_sha256: str


@dataclass(frozen=True)
class Resolution:
    """Paths of kept files; dropped path -> (kept path, kind); paths with a UID that stands for other pixels."""

    kept: tuple[str, ...]
    duplicates: dict[str, tuple[str, str]]
    conflicts: tuple[str, ...]


def resolve(candidates: Iterable[Candidate], already_kept: Collection[str] = frozenset()) -> Resolution:
    """Decide over all ingestible files of a delivery. ``already_kept``: paths in the published ``images`` table."""

    def rank(candidate: Candidate) -> tuple:
        return (candidate.path not in already_kept, *path_order(candidate.path))

    ranked = sorted(candidates, key=rank)
    pixels_of_uid: dict[str, str] = {}
    conflicts, sound = [], defaultdict(list)
    for candidate in ranked:
        if pixels_of_uid.setdefault(candidate.image_id, candidate.pixel_sha256) != candidate.pixel_sha256:
            conflicts.append(candidate.path)
        else:
            sound[candidate.pixel_sha256].append(candidate)
    kept, duplicates = [], {}
    for first, *others in sound.values():
        kept.append(first.path)
        for other in others:
            kind = SAME_BYTES if other.file_sha256 == first.file_sha256 else SAME_PIXELS
            duplicates[other.path] = (first.path, kind)
    return Resolution(tuple(sorted(kept)), duplicates, tuple(sorted(conflicts)))


def path_order(path: str) -> tuple[str, str]:
    """Return the key that sorts "0003.dcm" before "0003 (copie).dcm": the path without its suffix, then with it."""
    pure = PurePosixPath(path)
    return (str(pure.with_suffix("")) if pure.suffix else path, path)
