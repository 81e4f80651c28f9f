"""Which study comes when: one global order for each epoch, the same on every process, a function of (seed, epoch).

Process r of w takes every w-th place of each global batch; batches do not depend on w, so training can resume with
another number of processes. No pixels here.
"""

from __future__ import annotations

import zlib

import numpy as np

from radia_pipeline.contracts.vocabulary import vocabulary
from radia_pipeline.errors import BadRecipe, EmptyPool
from radia_pipeline.training.choices import SAMPLERS
from radia_pipeline.training.recipe_schema import DataSection
from radia_pipeline.training.studies import Studies


def generator(*parts: int | str) -> np.random.Generator:
    """Return the random generator that belongs to these parts and to nothing else."""
    words = [zlib.crc32(part.encode()) if isinstance(part, str) else int(part) for part in parts]
    return np.random.Generator(np.random.Philox(np.random.SeedSequence(words)))


def study_weights(studies: Studies, data: DataSection) -> np.ndarray:
    """Return each study's chance to be drawn, float64 (n,), summing to 1.

    A sampler that weighs: manifest weight × (count of the study's rarest positive class) ** −balance, with No Finding
    × no_finding_weight. A study without a positive counts as one of its own kind. With ``max_per_patient`` the studies
    of a patient who has more share what so many of them have.
    """
    weights = studies.weight * patient_shares(studies, data)
    if SAMPLERS[data.sampler].weighs:
        weights *= rarity(studies) ** -data.balance
        normal = studies.values[:, vocabulary().index(vocabulary().no_finding)] == 1
        weights[normal] *= data.no_finding_weight
    if not weights.sum() > 0:
        raise EmptyPool("Every training study weighs 0", do="raise data.no_finding_weight or the manifest's weights")
    return weights / weights.sum()


def rarity(studies: Studies) -> np.ndarray:
    """Return how many studies have each one's rarest positive class, float64 (n,); all of them where it has none."""
    positive = (studies.values == 1) & studies.labelled
    counts = np.maximum(positive.sum(axis=0), 1)
    return np.where(positive, counts, len(studies)).min(axis=1).astype(np.float64)


def loss_weights(studies: Studies, data: DataSection) -> np.ndarray:
    """Return what cells weigh in the loss, float32 (n, 1) or (n, 21).

    The manifest's weight of the study, unless it is drawn by that, times the trust in each cell.
    """
    of_study = np.ones(len(studies)) if SAMPLERS[data.sampler].weighs else studies.weight
    trust = np.ones((len(studies), 1)) if studies.trust is None else studies.trust
    return (of_study[:, None] * trust).astype(np.float32)


def epoch_order(studies: Studies, data: DataSection, seed: int, epoch: int) -> np.ndarray:
    """Return the epoch's study numbers in order, int64 (samples,)."""
    draw, count = generator(seed, "order", epoch), data.samples_per_epoch or studies_per_round(studies, data)
    return SAMPLERS[data.sampler].order(studies, data, draw, count).astype(np.int64)


def shuffled(studies: Studies, data: DataSection, draw: np.random.Generator, count: int) -> np.ndarray:
    """Each study once, in rounds: it goes round before it repeats; of a patient ``max_per_patient`` a round."""
    rounds = [
        _capped(draw.permutation(len(studies)), studies, data)
        for _ in range(-(-count // studies_per_round(studies, data)))
    ]
    return np.concatenate(rounds)[:count]


def _capped(order: np.ndarray, studies: Studies, data: DataSection) -> np.ndarray:
    if data.max_per_patient is None:
        return order
    _, patients = np.unique(studies.patient_key[order].astype(str), return_inverse=True)
    seen = np.argsort(patients, kind="stable")  # a patient's studies side by side, in the order drawn
    starts = np.r_[0, np.cumsum(np.bincount(patients))[:-1]]
    rank = np.empty(len(order), dtype=np.int64)
    rank[seen] = np.arange(len(order)) - starts[patients[seen]]
    return order[rank < data.max_per_patient]


def patient_shares(studies: Studies, data: DataSection) -> np.ndarray:
    """Return which part of a round each study is in, float64 (n,): 1, or less where its patient has too many."""
    if data.max_per_patient is None:
        return np.ones(len(studies))
    _, patients, counts = np.unique(studies.patient_key.astype(str), return_inverse=True, return_counts=True)
    return np.minimum(1.0, data.max_per_patient / counts[patients])


def studies_per_round(studies: Studies, data: DataSection) -> int:
    """Return how many studies there are before one repeats."""
    return round(float(patient_shares(studies, data).sum()))


def drawn_by_weight(studies: Studies, data: DataSection, draw: np.random.Generator, count: int) -> np.ndarray:
    """Drawn with replacement by the studies' weights."""
    return draw.choice(len(studies), size=count, replace=True, p=study_weights(studies, data))


def steps_per_epoch(studies: Studies, data: DataSection, batch_size: int) -> int:
    """Return full batches in an epoch; raises BadRecipe when a batch is larger than the epoch."""
    samples = data.samples_per_epoch or studies_per_round(studies, data)
    if batch_size > samples:
        raise BadRecipe(
            f"training.batch_size is {batch_size} but an epoch has {samples} studies",
            accepted=f"1 to {samples}",
            do="lower training.batch_size",
        )
    return samples // batch_size


def batch_slots(step: int, batch_size: int, rank: int, world_size: int) -> np.ndarray:
    """Return the places in the epoch's order that process ``rank`` of ``world_size`` handles in a step."""
    return np.arange(step * batch_size, (step + 1) * batch_size, dtype=np.int64)[rank::world_size]
