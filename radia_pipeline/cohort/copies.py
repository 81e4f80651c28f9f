"""Copies of one exposure among a lake's films: descriptors kept beside them, an index, and what was found so far.

A new film asks for itself against all; films that were searched before are not searched again, and what was found of
them stands as long as their files do. All of it is derived and lies in ``packed/copies``: erased, it is made again.
Not here: what a film's descriptor is (``film_descriptor``), what makes a copy (``registration``), which links follow
(``links``).
"""

from __future__ import annotations

import os
import tempfile
import zipfile
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np

from radia_pipeline.cohort.film_descriptor import QUERIES, SIZE, describe
from radia_pipeline.cohort.registration import SAME_EXPOSURE, prepared, same_exposure
from radia_pipeline.cohort.whitening import learned
from radia_pipeline.lake import atomic
from radia_pipeline.lake.lake import Lake

NEAR, NEAR_WHITENED = 0.55, 0.28
"""Least similarity of two descriptors that is worth a look at the pixels, as they are and whitened: of strangers among
real films .0046 and .0016 lie above it.
"""
SURE = 0.55
"""Similarity of whitened descriptors that strangers do not reach: at most .42 among a million pairs."""
NEIGHBOURS = 16
"""Films that one query may name: a copy is nearest, and the films of a patient's own stay are near too."""
MOST_CONFIRMATIONS = 4
"""Strangers that one film is compared with on pixels, nearest first."""
DOUBTFUL_A_FILM = 0.5
"""Pairs between ``NEAR_WHITENED`` and ``SURE`` that a delivery may have compared, in films that ask, nearest first:
strangers there grow with the lake, so that a limit that does not bind would make comparing quadratic.
"""
LEAST_DOUBTFUL = 64
"""As many may be compared for however few films."""
EXACT_UP_TO = 5_000
"""Films below which every pair is compared: an index would cost more."""
_LINKS_OF_A_NODE, _WIDTH_BUILDING, _WIDTH_SEARCHING = 32, 160, 80
_AT_ONCE = 1 << 14
_PORTION = 256
"""Films that are described and searched at a time: memory does not grow with a delivery."""
_FORMAT = 3
_MOST_THREADS = 8


@dataclass(frozen=True)
class Films:
    """What is searched: (n,) each. ``names``: what a film is called for ever; ``patients``: a number for each patient;
    ``paths``: relative to the lake's root."""

    names: Sequence[str]
    paths: Sequence[str]
    patients: np.ndarray


@dataclass(frozen=True)
class Copies:
    """Pairs of places in ``Films`` with their agreement on pixels, and what it took.

    ``searched``: films that asked; ``compared``: pairs that were compared on pixels; ``unreadable``: films without a
    readable file.
    """

    pairs: tuple[tuple[int, int, float], ...]
    searched: int
    compared: int
    unreadable: int


@dataclass(frozen=True)
class _Kept:
    """What is known of films that were searched: name → row, each row's stamp and descriptor; and pairs of names."""

    row_of: dict[str, int]
    stamps: np.ndarray
    vectors: np.ndarray
    pairs: dict[tuple[str, str], float]

    @classmethod
    def nothing(cls) -> _Kept:
        """Return what is known of no film."""
        return cls({}, np.zeros(0, np.int64), np.zeros((0, SIZE), np.float16), {})


def find_copies(lake: Lake, films: Films) -> Copies:
    """Return every pair of films of different patients that show one exposure, the smaller place first.

    Films whose file is new or changed are described and search all others; the rest is remembered.
    """
    file = lake.packed_dir / "copies" / "found.npz"
    with lake.lock("copies"):
        kept = _load(file)
        stamps = np.array([_stamp(lake.root / path) for path in films.paths], dtype=np.int64)
        rows = np.array([kept.row_of.get(name, -1) for name in films.names], dtype=np.int64)
        known = (rows >= 0) & (stamps != 0)
        known[known] = kept.stamps[rows[known]] == stamps[known]
        vectors = np.zeros((len(known), SIZE), dtype=np.float16)
        vectors[known] = kept.vectors[rows[known]]
        same = {films.names[place] for place in np.flatnonzero(known).tolist()}
        found = {names: value for names, value in kept.pairs.items() if set(names) <= same}
        was_kept = len(kept.row_of)
        del kept, rows
        fresh = np.flatnonzero(~known & (stamps != 0))
        with tempfile.TemporaryFile() as room:  # queries of a large delivery are larger than memory
            queries: np.ndarray = np.memmap(room, np.float16, "w+", shape=(max(1, len(fresh)), QUERIES, SIZE))
            is_read = _describe_all(lake.root, films, fresh, queries)
            queries, asking = queries[: len(fresh)], fresh[is_read]
            vectors[asking] = queries[is_read, 0]
            readable = known.copy()
            readable[asking] = True
            asked = queries[is_read] if not is_read.all() else queries
            places = np.flatnonzero(readable)
            is_alone = not len(asking) or len(places) < 2
            near = [] if is_alone else worth_a_look(Index(vectors[places]), places, asking, asked, films.patients)
        pairs, compared = _confirmed(lake.root, films, near)
        found |= {(films.names[a], films.names[b]): value for a, b, value in pairs}
        if len(asking) or was_kept != int(readable.sum()):
            _save(file, films, stamps, vectors, readable, found)
    place_of = {name: place for place, name in enumerate(films.names)}
    ends = {names: sorted(place_of[name] for name in names) for names in found}
    shown = sorted(
        (ends[a, b][0], ends[a, b][1], value)
        for (a, b), value in found.items()
        if films.patients[place_of[a]] != films.patients[place_of[b]]
    )
    return Copies(tuple(shown), len(asking), compared, int((~readable).sum()))


def _describe_all(root: Path, films: Films, places: np.ndarray, queries: np.ndarray) -> np.ndarray:
    """Put each film's queries into ``queries`` (n, QUERIES, SIZE) and return which could be read: bool (n,)."""

    def one(place: int) -> np.ndarray | None:
        image = read_grey(root / films.paths[place])
        return None if image is None else describe(image)

    is_read = np.zeros(len(places), dtype=bool)
    with ThreadPoolExecutor(_threads()) as pool:
        for start in range(0, len(places), _PORTION):
            for row, found in enumerate(pool.map(one, places[start : start + _PORTION].tolist()), start):
                if found is not None:
                    queries[row], is_read[row] = found, True
    return is_read


def _threads() -> int:
    return min(_MOST_THREADS, os.cpu_count() or 1)


def read_grey(path: Path) -> np.ndarray | None:
    """Return a stored image as float32 (H, W), None where it cannot be read."""
    import cv2

    image = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
    if image is None:
        return None
    return (image if image.ndim == 2 else image[..., :3].mean(axis=2)).astype(np.float32)


class Index:
    """Descriptors (n, SIZE) of length one, searched by inner product: all of them, or where they are many a graph in
    half precision (HNSW; Malkov and Yashunin 2018). From ``whitening.LEAST_FILMS`` on they and queries are whitened.
    """

    def __init__(self, vectors: np.ndarray) -> None:
        self._whitening = learned(vectors)
        self._vectors = vectors = vectors if self._whitening is None else self._whitening.of(vectors)
        self._graph = None
        if len(vectors) > EXACT_UP_TO:
            import faiss

            faiss.omp_set_num_threads(_threads())
            half: Any = faiss.ScalarQuantizer.QT_fp16  # the wrapper's own annotation names the class, not its numbers
            self._graph = faiss.IndexHNSWSQ(SIZE, half, _LINKS_OF_A_NODE, faiss.METRIC_INNER_PRODUCT)
            self._graph.hnsw.efConstruction, self._graph.hnsw.efSearch = _WIDTH_BUILDING, _WIDTH_SEARCHING
            self._graph.train(vectors[:_PORTION].astype(np.float32))
            for start in range(0, len(vectors), _AT_ONCE):
                self._graph.add(vectors[start : start + _AT_ONCE].astype(np.float32))

    @property
    def least(self) -> float:
        """Similarity in this index from which a pair is worth a look."""
        return NEAR if self._whitening is None else NEAR_WHITENED

    def most_doubtful(self, asking: int) -> int | None:
        """Return how many pairs below ``SURE`` are looked at when so many films ask; None for all of them."""
        return None if self._whitening is None else max(LEAST_DOUBTFUL, round(DOUBTFUL_A_FILM * asking))

    def near(self, queries: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return similarity and place (queries, NEIGHBOURS or all) of the nearest, nearest first; place −1 for none."""
        count, queries = max(1, min(NEIGHBOURS, len(self._vectors))), queries.astype(np.float32)
        queries = queries if self._whitening is None else self._whitening.of(queries)
        if self._graph is not None:
            return self._graph.search(queries, count)
        similarity = queries @ self._vectors.astype(np.float32).T
        places = np.argsort(-similarity, axis=1, kind="stable")[:, :count]
        return np.take_along_axis(similarity, places, axis=1), places


def worth_a_look(
    index: Index, places: np.ndarray, asking: np.ndarray, queries: np.ndarray, patients: np.ndarray
) -> list[tuple[int, int]]:
    """Return pairs of places worth a look at the pixels, the smaller first: at most so many for each who asks, and of
    doubtful ones at most so many for all.

    ``places``: (n,), of what stands in the index; ``asking``: (m,), of those who ask; ``queries``: (m, QUERIES, SIZE).
    """
    chosen: dict[tuple[int, int], float] = {}
    for start in range(0, len(asking), _PORTION):
        part = asking[start : start + _PORTION]
        similarity, found = index.near(np.asarray(queries[start : start + _PORTION]).reshape(-1, SIZE))
        film, rank = np.nonzero((similarity >= index.least) & (found >= 0))
        one, other = part[film // QUERIES], places[found[film, rank]]
        strangers = patients[one] != patients[other]
        best: dict[tuple[int, int], float] = {}
        for pair, value in zip(
            zip(one[strangers].tolist(), other[strangers].tolist()), similarity[film, rank][strangers].tolist()
        ):
            best[pair] = max(value, best.get(pair, 0.0))
        ranked = sorted(best, key=lambda pair: (pair[0], -best[pair], pair[1]))
        for _, several in groupby(ranked, key=lambda pair: pair[0]):
            for pair in list(several)[:MOST_CONFIRMATIONS]:
                ends = (min(pair), max(pair))
                chosen[ends] = max(best[pair], chosen.get(ends, 0.0))
    most = index.most_doubtful(len(asking))
    if most is None:
        return sorted(chosen)
    doubtful = sorted((ends for ends, value in chosen.items() if value < SURE), key=lambda ends: (-chosen[ends], ends))
    return sorted(chosen.keys() - set(doubtful[most:]))


def _confirmed(root: Path, films: Films, near: list[tuple[int, int]]) -> tuple[list[tuple[int, int, float]], int]:
    """Return the pairs that agree on their pixels with their agreement, and how many were compared.

    The smaller of a pair is laid over the other, whoever asked: the figure does not depend on what came first.
    """

    def of_one(pairs: list[tuple[int, int]]) -> list[tuple[int, int, float]]:
        image = read_grey(root / films.paths[pairs[0][0]])
        if image is None:
            return []
        moves, found = prepared(image), []
        for one, other in pairs:
            image = read_grey(root / films.paths[other])
            value = -1.0 if image is None else same_exposure(prepared(image, moves=False), moves)
            if value >= SAME_EXPOSURE:
                found.append((one, other, min(1.0, value)))
        return found

    by_film = [list(several) for _, several in groupby(near, key=lambda pair: pair[0])]
    with ThreadPoolExecutor(_threads()) as pool:
        return [pair for found in pool.map(of_one, by_film) for pair in found], len(near)


def _stamp(path: Path) -> int:
    """Return a number that changes when a file does; 0 where there is none."""
    try:
        status = path.stat()
    except OSError:
        return 0
    return (status.st_mtime_ns ^ (status.st_size << 1)) or 1


def _load(file: Path) -> _Kept:
    """Return what is kept, nothing where the file is absent, old or damaged: it is only a cache."""
    try:
        with np.load(file, allow_pickle=False) as held:
            if int(held["format"]) != _FORMAT:
                return _Kept.nothing()
            rows = {name: row for row, name in enumerate(held["names"].tolist())}
            ends = [tuple(pair) for pair in held["pairs"].tolist()]
            pairs = dict(zip(ends, held["agreement"].tolist()))
            return _Kept(rows, held["stamps"], held["vectors"], pairs)
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
        return _Kept.nothing()


def _save(
    file: Path,
    films: Films,
    stamps: np.ndarray,
    vectors: np.ndarray,
    readable: np.ndarray,
    found: dict[tuple[str, str], float],
) -> None:
    places = np.flatnonzero(readable).tolist()
    with atomic.replace_file(file) as temporary, temporary.open("wb") as handle:
        np.savez(
            handle,
            format=_FORMAT,
            names=np.array([films.names[place] for place in places], dtype=str),
            stamps=np.array([stamps[place] for place in places], dtype=np.int64),
            vectors=vectors[places],
            pairs=np.array(list(found), dtype=str).reshape(-1, 2),
            agreement=np.array(list(found.values()), float),
        )
