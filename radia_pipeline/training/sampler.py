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
    × no_finding_weight. A study without a positive counts as one of its own kind.
    """
    weights = studies.weight.astype(np.float64).copy()
    if SAMPLERS[data.sampler].weighs:
        positive = (studies.values == 1) & studies.labelled
        counts = np.maximum(positive.sum(axis=0), 1)
        rarest = np.where(positive, counts, len(studies)).min(axis=1)
        weights *= rarest.astype(np.float64) ** -data.balance
        normal = studies.values[:, vocabulary().index(vocabulary().no_finding)] == 1
        weights[normal] *= data.no_finding_weight
    if not weights.sum() > 0:
        raise EmptyPool("Every training study weighs 0", do="raise data.no_finding_weight or the manifest's weights")
    return weights / weights.sum()


def epoch_order(studies: Studies, data: DataSection, seed: int, epoch: int) -> np.ndarray:
    """Return the epoch's study numbers in order, int64 (samples,)."""
    draw, count = generator(seed, "order", epoch), data.samples_per_epoch or len(studies)
    return SAMPLERS[data.sampler].order(studies, data, draw, count).astype(np.int64)


def shuffled(studies: Studies, data: DataSection, draw: np.random.Generator, count: int) -> np.ndarray:
    """Each study once, in rounds: it goes round before it repeats."""
    rounds = [draw.permutation(len(studies)) for _ in range(-(-count // len(studies)))]
    return np.concatenate(rounds)[:count]


def drawn_by_weight(studies: Studies, data: DataSection, draw: np.random.Generator, count: int) -> np.ndarray:
    """Drawn with replacement by the studies' weights."""
    return draw.choice(len(studies), size=count, replace=True, p=study_weights(studies, data))


def steps_per_epoch(study_count: int, data: DataSection, batch_size: int) -> int:
    """Return full batches in an epoch; raises BadRecipe when a batch is larger than the epoch."""
    samples = data.samples_per_epoch or study_count
    if batch_size > samples:
        raise BadRecipe(
            f"training.batch_size is {batch_size} but an epoch has {samples} studies",
            accepted=f"1 to {samples}",
            do="lower training.batch_size",
        )
    return samples // batch_size


def batch_slots(step: int, batch_size: int, rank: int, world: int) -> np.ndarray:
    """Return the places in the epoch's order that process ``rank`` of ``world`` handles in a step."""
    return np.arange(step * batch_size, (step + 1) * batch_size, dtype=np.int64)[rank::world]
