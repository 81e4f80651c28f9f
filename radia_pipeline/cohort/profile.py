"""The data profile: the original's figures 4 to 7 and table 2 as rows of ``data_profile``. Figures only; drawing is
elsewhere.

Counts are of images in the manifest, excluded ones aside. ``positives`` … are label values (after closure); ``said_*``
are the source's own values, on which the uncertain-to-positive ratio rests. In correlations an uncertain value counts
as positive.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import combinations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from radia_pipeline.cohort.profile_origins import provenance_rows, rows_by_pool
from radia_pipeline.cohort.profile_rows import correlation_rows, row
from radia_pipeline.contracts.label_values import MISSING, NEGATIVE, POSITIVE, UNCERTAIN
from radia_pipeline.contracts.sheets import source_sheet
from radia_pipeline.contracts.tables import conform
from radia_pipeline.contracts.vocabulary import vocabulary
from radia_pipeline.labels.table import positions, read_labels
from radia_pipeline.lake.lake import Lake

VALUE_MEASURES = {"positives": POSITIVE, "uncertain": UNCERTAIN, "negatives": NEGATIVE, "not_stated": MISSING}
MOST_IMAGES_BIN = 9
"""Patients with at least this many images share the last bin."""
SMALL_EFFECT = 0.2
"""Cohen's convention for a small effect (h, and here also the KS distance): below it a shift is called none, however
sure.
"""
SURE_P = 0.05
_LEAST_FOR_A_TEST = 20


@dataclass(frozen=True)
class ProfileResult:
    """Rows written; ``shifts``: "measure source other [class]" → effect size, where it is both sure and not small.

    ``page``, ``card``: the HTML pages in the lake's root that were drawn from them.
    """

    rows: int
    sources: tuple[str, ...]
    images: Mapping[str, int]
    shifts: Mapping[str, float]
    version: str = ""
    page: str = ""
    card: str = ""


@dataclass(frozen=True)
class _Part:
    """One source's images. ``values``, ``said``: int8 (images, 21)."""

    source: str
    values: np.ndarray
    said: np.ndarray
    patients: np.ndarray
    studies: np.ndarray
    pools: np.ndarray
    views: np.ndarray
    ages: np.ndarray
    sexes: np.ndarray


def build_data_profile(lake: Lake) -> ProfileResult:
    """Write ``data_profile`` over every source that has a manifest. Needs ``manifest``, ``labels`` and ``images``."""
    parts = [_read(lake, source) for source in lake.partitions("manifest")]
    rows: list[dict] = []
    for part in parts:
        rows += _counts(part)
        rows += _labels_per_image(part)
        rows += _images_per_patient(part)
        rows += correlation_rows("correlation", part.source, np.isin(part.values, (POSITIVE, UNCERTAIN)))
        rows += rows_by_pool(part.source, part.values, part.patients, part.studies, part.pools)
        rows += provenance_rows(lake, part.source)
    tests = [test for one, other in combinations(parts, 2) for test in _shifts(one, other)]
    adjusted = benjamini_hochberg([test["p"] for test in tests])
    for test, p in zip(tests, adjusted):
        pair = {name: test[name] for name in ("source", "class", "other")}
        rows.append({"measure": f"shift_{test['of']}_effect", "value": test["effect"], "count": test["n"], **pair})
        rows.append({"measure": f"shift_{test['of']}_p", "value": p, "count": test["n"], **pair})
    found = {
        " ".join(filter(None, (test["of"], test["source"], test["other"], test["class"]))): round(test["effect"], 4)
        for test, p in zip(tests, adjusted)
        if p < SURE_P and abs(test["effect"]) >= SMALL_EFFECT
    }
    written = lake.write("data_profile", conform("data_profile", rows))
    images = {part.source: len(part.values) for part in parts}
    return ProfileResult(len(rows), tuple(images), images, found, written.version)


def _read(lake: Lake, source: str) -> _Part:
    classes = list(vocabulary().classes)
    columns = ["image_id", "study_id", "patient_key", "pool", "view", "excluded", *classes]
    manifest = lake.read("manifest", source, columns=columns)
    manifest = manifest.filter(pc.is_null(manifest.column("excluded")))
    values = np.stack([manifest.column(name).fill_null(MISSING).to_numpy() for name in classes], axis=1)
    labels = read_labels(lake, source, "said")
    images = lake.read("images", source, columns=["image_id", "patient_age_years", "patient_sex"])
    images = images.take(pa.array(positions(manifest.column("image_id"), images.column("image_id")), pa.int64()))

    def texts(table: pa.Table, name: str) -> np.ndarray:
        return table.column(name).to_numpy(zero_copy_only=False).astype(object)

    return _Part(
        source=source,
        values=values.astype(np.int8),
        said=labels.values[labels.rows_of(manifest.column("study_id"))],
        patients=texts(manifest, "patient_key"),
        studies=texts(manifest, "study_id"),
        pools=texts(manifest, "pool"),
        views=texts(manifest, "view"),
        ages=images.column("patient_age_years").cast(pa.float64()).to_numpy(zero_copy_only=False).astype(float),
        sexes=texts(images, "patient_sex"),
    )


def _share(count: int, whole: int) -> float | None:
    return count / whole if whole else None


def _counts(part: _Part) -> Iterator[dict]:
    """Per class: images of each value, shares by pool, and the uncertain-to-positive ratio of what was said."""
    whole = len(part.values)
    yield row("images", part.source, None, whole)
    yield row("patients", part.source, None, len(set(part.patients.tolist())))
    for pool in sorted(set(part.pools.tolist())):
        yield row(
            "images",
            part.source,
            _share(int((part.pools == pool).sum()), whole),
            int((part.pools == pool).sum()),
            other=pool,
        )
    for column, name in enumerate(vocabulary().classes):
        values, said = part.values[:, column], part.said[:, column]
        for measure, value in VALUE_MEASURES.items():
            yield row(
                measure, part.source, _share(int((values == value).sum()), whole), int((values == value).sum()), name
            )
            yield row(
                f"said_{measure}",
                part.source,
                _share(int((said == value).sum()), whole),
                int((said == value).sum()),
                name,
            )
        for pool in sorted(set(part.pools.tolist())):
            inside = part.pools == pool
            positives = int((values[inside] == POSITIVE).sum())
            yield row("positives", part.source, _share(positives, int(inside.sum())), positives, name, pool)
        positive, uncertain = int((said == POSITIVE).sum()), int((said == UNCERTAIN).sum())
        if positive:
            yield row("uncertain_to_positive", part.source, uncertain / positive, uncertain, name)


def _labels_per_image(part: _Part) -> Iterator[dict]:
    """How many of the 14 pathologies an image has (positive or uncertain)."""
    columns = [vocabulary().index(name) for name in vocabulary().pathologies]
    found = np.isin(part.values[:, columns], (POSITIVE, UNCERTAIN)).sum(axis=1)
    for number, count in enumerate(np.bincount(found).tolist()):
        yield row("labels_per_image", part.source, _share(count, len(found)), count, other=f"{number:02d}")


def _images_per_patient(part: _Part) -> Iterator[dict]:
    """How many images a patient has."""
    _, images = np.unique(part.patients.astype(str), return_counts=True)
    for number, count in enumerate(np.bincount(np.minimum(images, MOST_IMAGES_BIN)).tolist()):
        if number:
            yield row("images_per_patient", part.source, _share(count, len(images)), count, other=f"{number:02d}")


def _one_image_each(part: _Part) -> np.ndarray:
    """Return the first image of each patient: repeats within a patient would make any test too sure."""
    return np.sort(np.unique(part.patients.astype(str), return_index=True)[1])


def _shifts(one: _Part, other: _Part) -> Iterator[dict]:
    """Compare two sources: prevalence of each class that both label, views, sexes and ages."""
    first, second = _one_image_each(one), _one_image_each(other)

    def test(of: str, name: str | None, effect: float, p: float, n: int) -> dict:
        return {"of": of, "source": one.source, "other": other.source, "class": name, "effect": effect, "p": p, "n": n}

    for name in sorted(source_sheet(one.source).labelled & source_sheet(other.source).labelled):
        column = vocabulary().index(name)
        a, b = one.values[first, column] == POSITIVE, other.values[second, column] == POSITIVE
        if min(len(a), len(b)) >= _LEAST_FOR_A_TEST:
            yield test(
                "prevalence", name, *two_proportions(int(a.sum()), len(a), int(b.sum()), len(b)), min(len(a), len(b))
            )
    views, sexes = (one.views[first], other.views[second]), (one.sexes[first], other.sexes[second])
    for of, value, (a, b) in (("frontal", "LATERAL", views), ("female", "F", sexes)):
        a, b = a[[item is not None for item in a]], b[[item is not None for item in b]]
        if min(len(a), len(b)) >= _LEAST_FOR_A_TEST:
            counted = [int(((x == value) != (of == "frontal")).sum()) for x in (a, b)]
            yield test(of, None, *two_proportions(counted[0], len(a), counted[1], len(b)), min(len(a), len(b)))
    a, b = one.ages[first], other.ages[second]
    a, b = a[np.isfinite(a)], b[np.isfinite(b)]
    if min(len(a), len(b)) >= _LEAST_FOR_A_TEST:
        from scipy.stats import ks_2samp

        found = ks_2samp(a, b, method="asymp")
        yield test("age", None, float(found.statistic), float(found.pvalue), min(len(a), len(b)))


def two_proportions(x: int, n: int, y: int, m: int) -> tuple[float, float]:
    """Return Cohen's h = 2 asin √p₁ − 2 asin √p₂ and the two-sided p of the pooled two-proportion z-test."""
    p, q, pooled = x / n, y / m, (x + y) / (n + m)
    effect = 2 * math.asin(math.sqrt(p)) - 2 * math.asin(math.sqrt(q))
    spread = math.sqrt(pooled * (1 - pooled) * (1 / n + 1 / m))
    return effect, math.erfc(abs(p - q) / spread / math.sqrt(2)) if spread else 1.0


def benjamini_hochberg(p_values: list[float]) -> list[float]:
    """Return p-values adjusted for their number (Benjamini and Hochberg 1995), in the order given."""
    if not p_values:
        return []
    p = np.asarray(p_values, dtype=float)
    order = np.argsort(p)[::-1]
    ranks = np.arange(len(p), 0, -1)
    adjusted = np.empty_like(p)
    adjusted[order] = np.minimum.accumulate(np.minimum(1.0, p[order] * len(p) / ranks))
    return adjusted.tolist()
