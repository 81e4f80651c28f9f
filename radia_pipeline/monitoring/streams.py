"""What is watched in a source: every stream of the five layers with its words and unit, as values of single rows.

A stream is a value of each film, report or file, empty where a row says nothing. Most numbers stand in tables that the
ingest and the labels make; ``film_readouts`` holds what is computed for drift alone. Not here: windows and judgement.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from radia_pipeline.contracts.vocabulary import vocabulary
from radia_pipeline.monitoring.pixel_figures import FIGURES
from radia_pipeline.monitoring.protocol import PIXELS, REPORTS, SCORES, TAGS
from radia_pipeline.monitoring.readouts import FEATURES

GREY, SHARE, YEARS, PIXELS_UNIT = "grey levels", "%", "years", "px"
COMMONEST_RULES = 8
RULE = "rule "
"""Begins the name of the stream of a rule."""
Row = Mapping[str, Any]


@dataclass(frozen=True)
class Stream:
    """``values`` (n,): of the rows of its population, NaN where there is none; ``kinds`` (n,): of films, by which the
    stream is adjusted for their mix, empty where it is not; ``needs_model``: changes its reference with the models."""

    name: str
    layer: str
    words: str
    unit: str
    values: np.ndarray
    is_share: bool = False
    kinds: np.ndarray = field(default_factory=lambda: np.zeros(0, dtype=object))
    needs_model: bool = False


def _share(name: str, layer: str, words: str, told: Sequence[bool | None], **more: Any) -> Stream:
    values = np.array([np.nan if one is None else float(one) for one in told])
    return Stream(name, layer, words, SHARE, values, is_share=True, **more)


def _figure(name: str, layer: str, words: str, unit: str, told: Sequence[float | None], **more: Any) -> Stream:
    return Stream(name, layer, words, unit, np.array([np.nan if x is None else x for x in told], dtype=float), **more)


MISSING_TAGS = {
    "patient_age_years": "age",
    "patient_sex": "sex",
    "manufacturer": "maker",
    "device_model": "model of the device",
    "pixel_spacing_row_mm": "pixel spacing",
    "window_width": "window",
    "presentation_intent": "presentation intent",
}
TAG_FIGURES = {
    "patient_age_years": ("age of patients", YEARS),
    "original_width_px": ("width of the delivered film", PIXELS_UNIT),
    "original_height_px": ("height of the delivered film", PIXELS_UNIT),
    "bits_stored": ("bits of a value", "bits"),
    "pixel_spacing_row_mm": ("pixel spacing", "mm"),
    "window_width": ("width of the window", "stored values"),
}
INGEST_SCORES = {
    "not_a_chest_score": "score of the check not a chest",
    "inverted_score": "score of the check inverted",
    "rotated_score": "score of the check rotated",
    "cropped_score": "score of the check cropped",
}
FIGURE_WORDS = {
    "mean_grey": ("mean grey level", GREY),
    "median_grey": ("median grey level", GREY),
    "contrast": ("spread of grey levels", GREY),
    "dark_share": ("nearly black part of the film", SHARE),
    "bright_share": ("nearly white part of the film", SHARE),
    "border_grey": ("border brighter than the rest", GREY),
    "mediastinum_grey": ("mediastinum brighter than the lungs", GREY),
    "grey_entropy": ("entropy of grey levels", "bits"),
    "sharpness": ("sharpness (log)", "log"),
}


def machine_of(row: Row) -> str | None:
    """Return maker and model of a film's device, None where the header names neither."""
    parts = [row["manufacturer"], row["device_model"]]
    return " ".join(part for part in parts if part) or None


def film_streams(films: Sequence[Row], readouts: Mapping[str, Row], learned: frozenset[str]) -> Iterator[Stream]:
    """Yield the streams of frontal films, rows of ``images``.

    ``readouts``: image_id -> row of ``film_readouts`` of those that were looked at; ``learned``: studies that the
    models learned from, of which their scores say nothing.
    """
    kinds = np.array([row["view"] for row in films], dtype=object)
    yield from _tag_streams(films)
    seen = [readouts.get(row["image_id"]) for row in films]
    adjusted = {"kinds": kinds}
    for column, words in INGEST_SCORES.items():
        yield _figure(column, PIXELS, words, "score", [row[column] for row in films], **adjusted)
    for name in FIGURES:
        words, unit = FIGURE_WORDS[name]
        yield _figure(name, PIXELS, words, unit, [one[name] if one else None for one in seen], **adjusted)
    negative = [one["mediastinum_grey"] < 0 if one else None for one in seen]
    yield _share("like negatives", PIXELS, "films whose mediastinum is darker than the lungs", negative)
    is_new = [row["study_id"] not in learned for row in films]
    of_models = [one if one and one["model"] and new else None for one, new in zip(seen, is_new, strict=True)]
    told = {**adjusted, "needs_model": True}
    for place in range(FEATURES):
        values = [one["features"][place] if one and len(one["features"]) > place else None for one in of_models]
        words = f"component {place + 1} of what the models see"
        yield _figure(f"feature_{place + 1}", PIXELS, words, "SD", values, **told)
    yield _figure(
        "familiarity",
        PIXELS,
        "distance to films that the models know (1: threshold)",
        "times",
        [one["familiarity"] if one else None for one in of_models],
        **told,
    )
    yield _share(
        "unfamiliar",
        SCORES,
        "films that the models do not know",
        [None if one is None else one["familiarity"] > 1 for one in of_models],
        **told,
    )
    yield _figure(
        "entropy",
        SCORES,
        "mean entropy of the probabilities",
        "bits",
        [one["entropy"] if one else None for one in of_models],
        **told,
    )
    for place, name in enumerate(vocabulary().classes):
        values = [one["probabilities"][place] if one else None for one in of_models]
        yield _figure(f"score {name}", SCORES, f"mean calibrated score of {name}", SHARE, values, **told)


def _tag_streams(films: Sequence[Row]) -> Iterator[Stream]:
    yield _share("lying", TAGS, "films taken lying (AP)", [_is(row["view"], "AP", "PA") for row in films])
    unknown = [row["view"] == "UNKNOWN" for row in films]
    yield _share("view missing", TAGS, "films whose projection is not known", unknown)
    yield _share("women", TAGS, "women among patients", [_is(row["patient_sex"], "F", "M") for row in films])
    for column, words in MISSING_TAGS.items():
        yield _share(f"{column} missing", TAGS, f"films without {words}", [row[column] is None for row in films])
    for column, (words, unit) in TAG_FIGURES.items():
        yield _figure(column, TAGS, words, unit, [row[column] for row in films])


def _is(value: str | None, one: str, other: str) -> bool | None:
    return value == one if value in (one, other) else None


ATTRIBUTES = {
    "is_unlabelled": "reports that give no label",
    "is_quality_limited": "reports of poor films",
    "is_signed_unread": "reports signed unread",
}


def _commonest(studies: Sequence[str], rules: Mapping[str, frozenset[str]]) -> list[str]:
    hits = Counter(rule for study in studies for rule in rules.get(study, ()))
    return sorted(rule for rule, _ in hits.most_common(COMMONEST_RULES))


@dataclass(frozen=True)
class ReportFacts:
    """What is known of reports: by study, its attributes, label values by class, rules that hit, scores by class.

    ``watched``: rules that the reference watches; None before there is one, when the commonest are chosen.
    """

    attributes: Mapping[str, Row]
    labels: Mapping[str, Mapping[str, int]]
    rules: Mapping[str, frozenset[str]]
    scores: Mapping[str, Sequence[float]]
    watched: tuple[str, ...] | None = None


def report_streams(reports: Sequence[Row], facts: ReportFacts) -> Iterator[Stream]:
    """Yield the streams of reports: rows with study_id and length, and of label tables where there are no reports."""
    studies = [row["study_id"] for row in reports]
    told = [facts.attributes.get(study) for study in studies]
    if facts.attributes:
        yield _figure("report_length", REPORTS, "length of a report", "characters", [row["length"] for row in reports])
        yield _figure(
            "uncertain_share",
            REPORTS,
            "uncertain among mentions",
            SHARE,
            [one["uncertain_share"] if one else None for one in told],
        )
        counts = [one["mention_count"] if one else None for one in told]
        yield _figure("mention_count", REPORTS, "mentions in a report", "mentions", counts)
        for name, words in ATTRIBUTES.items():
            yield _share(name, REPORTS, words, [None if one is None else one[name] for one in told])
        yield _share(
            "unread",
            REPORTS,
            "reports with a sentence that rules could not read",
            [None if one is None else one["unread_count"] > 0 for one in told],
        )
        for rule in facts.watched if facts.watched is not None else _commonest(studies, facts.rules):
            hits = [None if one is None else rule in facts.rules.get(study, ()) for study, one in zip(studies, told)]
            yield _share(f"{RULE}{rule}", REPORTS, f"reports in which the rule {rule} hits", hits)
    for place, name in enumerate(vocabulary().classes):
        values = [facts.labels.get(study, {}).get(name) for study in studies]
        if any(value is not None for value in values):
            said = [None if value is None or value < 0 else value == 1 for value in values]
            yield _share(f"label {name}", REPORTS, f"studies labelled {name}", said)
            expected = [facts.scores[study][place] if study in facts.scores else None for study in studies]
            beyond = [None if y is None or p is None else float(y) - p for y, p in zip(said, expected, strict=True)]
            words = f"label of {name} beyond what the models expect"
            yield _figure(f"label minus score {name}", REPORTS, words, SHARE, beyond, needs_model=True)
