"""Whitening: what films of a lake have in common tells no film from another, and copies are asked for all the same."""

from __future__ import annotations

import numpy as np
import pytest

from radia_pipeline.cohort import copies
from radia_pipeline.cohort.copies import Index, worth_a_look
from radia_pipeline.cohort.film_descriptor import QUERIES, SIZE
from radia_pipeline.cohort.whitening import LEAST_FILMS, learned


def unit(vectors: np.ndarray) -> np.ndarray:
    return (vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)).astype(np.float32)


@pytest.fixture(scope="module")
def alike() -> np.ndarray:
    """Descriptors that differ along few directions, as those of one machine's films do."""
    rng = np.random.default_rng(0)
    spread = np.concatenate([np.full(12, 3.0), np.full(SIZE - 12, 0.6)])
    return unit(3 + spread * rng.standard_normal((1_200, SIZE)))


def asked(vectors: np.ndarray) -> np.ndarray:
    return np.repeat(vectors[:, None], QUERIES, axis=1)


def test_strangers_come_apart_and_a_copy_stays_near(alike):
    whitening = learned(alike)
    strangers = np.triu(alike @ alike.T, 1).max()
    white = whitening.of(alike)
    assert strangers > 0.9 and np.triu(white @ white.T, 1).max() < copies.NEAR_WHITENED
    copy = unit(alike + 0.005 * np.random.default_rng(1).standard_normal(alike.shape))
    assert np.einsum("nd,nd->n", whitening.of(copy), white).min() > copies.SURE
    assert np.allclose(np.linalg.norm(white, axis=1), 1, atol=1e-5)


def test_few_films_stay_as_they_are_and_a_constant_one_is_near_nothing(alike):
    assert learned(alike[: LEAST_FILMS - 1]) is None
    assert learned(np.zeros_like(alike)) is None
    assert Index(alike[:10]).least == copies.NEAR and Index(alike).least == copies.NEAR_WHITENED
    blank = learned(alike).of(np.zeros((1, SIZE), np.float16))
    assert blank.dtype == np.float16 and not blank.any()


def test_of_doubtful_pairs_the_nearest_are_looked_at_and_sure_ones_all(alike, monkeypatch):
    rng = np.random.default_rng(2)
    far = unit(alike[:300] + 0.02 * rng.standard_normal((300, SIZE)))
    near = unit(alike[300:500] + 0.001 * rng.standard_normal((200, SIZE)))
    vectors = np.concatenate([alike, far, near])
    asking = np.arange(len(alike), len(vectors))
    index, patients = Index(vectors), np.arange(len(vectors))
    monkeypatch.setattr(copies, "LEAST_DOUBTFUL", 5)
    monkeypatch.setattr(copies, "SURE", 0.9)
    monkeypatch.setattr(copies, "DOUBTFUL_A_FILM", 0.25)
    chosen = worth_a_look(index, patients, asking, asked(vectors[asking]), patients)
    sure = {(300 + number, 1_500 + number) for number in range(200)}
    assert sure <= set(chosen)
    doubtful = set(chosen) - sure
    assert len(doubtful) == round(copies.DOUBTFUL_A_FILM * len(asking)) < 300
    monkeypatch.setattr(copies, "DOUBTFUL_A_FILM", 10.0)
    every = set(worth_a_look(index, patients, asking, asked(vectors[asking]), patients)) - sure
    likeness = {pair: max(like(index, vectors, one, other) for one, other in (pair, pair[::-1])) for pair in every}
    assert min(likeness[pair] for pair in doubtful) >= max(likeness[pair] for pair in every - doubtful) - 1e-3


def like(index: Index, vectors: np.ndarray, one: int, other: int) -> float:
    """How near a film stands to one that asks; 0 where it is not among the nearest."""
    similarity, found = index.near(asked(vectors[[one]]).reshape(-1, SIZE))
    return float(similarity[found == other].max(initial=0.0))
