"""A reading in the words of the installed vocabulary: what was answered in those of an earlier one follows its classes.

The store keeps every reading as it was given. What a migration is stands in ``contracts.migrations``, how a verdict
follows its class in ``labels.readings``.
"""

from __future__ import annotations

from collections.abc import Mapping

from radia_pipeline.contracts.migrations import renamed
from radia_pipeline.contracts.vocabulary import vocabulary
from radia_pipeline.labels.readings import reviews_across
from radia_pipeline.readings.reading import Reading

Answers = Mapping[str, int | None]
"""Class → answer; None where the study was not assessable."""


def answers_across(reading: Reading) -> Answers:
    """Return the classes that a reading was asked with its answers, in the words of the installed vocabulary.

    Names are never used twice, so that a name tells its class whatever the reading's version. What was said only of
    parts of a class into which they were merged may say nothing of the whole: then the whole was not asked.
    """
    path = vocabulary().migrations
    if all(name in vocabulary().classes for name in reading.asked):
        return {name: reading.answers.get(name) for name in reading.asked}
    if reading.not_assessable is not None:
        return {new: None for name in reading.asked if (new := renamed(name, path)) is not None}
    given = {(reading.study_id, name): ("", value) for name, value in reading.answers.items()}
    return {name: value for (_, name), value in reviews_across(given, path).items()}
