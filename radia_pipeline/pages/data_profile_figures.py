"""What the data profile's page shows, as plain data and pictures: ``data_profile`` by key, and drawn.

The same pictures stand beside the asset. Everything is a figure of that table. How it stands on the page is in the
template.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from radia_pipeline.cohort.profile import SMALL_EFFECT, SURE_P
from radia_pipeline.contracts.pools import POOLS
from radia_pipeline.contracts.sheets import source_sheet
from radia_pipeline.contracts.vocabulary import vocabulary
from radia_pipeline.drawing.charts import grouped_bars, points_in_rows
from radia_pipeline.drawing.heat_map import heat_map
from radia_pipeline.drawing.marks import Bars
from radia_pipeline.drawing.plot import Axis, plot
from radia_pipeline.drawing.small import divided_bar, signed_bar
from radia_pipeline.drawing.svg import Picture

VALUE_ROLES = {"positives": "s1", "uncertain": "s5", "negatives": "s4", "not_stated": "rest"}
VALUE_NAMES = {"positives": "positive", "uncertain": "uncertain", "negatives": "negative", "not_stated": "not stated"}
POOL_ROLES = dict(zip(POOLS, ("s0", "s2", "s5")))
LARGEST_EFFECT = 1.5
"""Where the bar of an effect ends; beyond it says the number alone."""
_STRONGEST = 3
_POOL_BARS_PX = (260, 110)
_WORDS = {"prevalence": "prevalence of", "frontal": "share of frontal images", "female": "share of women", "age": "age"}


class Figures:
    """``data_profile`` by measure, source, class and other; sources in alphabetical order."""

    def __init__(self, rows: Sequence[dict]) -> None:
        self.sources = sorted({row["source"] for row in rows if row["measure"] == "images"})
        self._rows = {(row["measure"], row["source"], row["class"], row["other"]): row for row in rows}
        self._measures = {key[:2] for key in self._rows}

    def get(self, measure: str, source: str, name: str | None = None, other: str | None = None) -> float | None:
        """Return a value (a share, ratio, correlation, effect or p), None where the table has none."""
        row = self._rows.get((measure, source, name, other))
        return row["value"] if row else None

    def count(self, measure: str, source: str, name: str | None = None, other: str | None = None) -> int:
        """Return a count, 0 where the table has none."""
        row = self._rows.get((measure, source, name, other))
        return int(row["count"] or 0) if row else 0

    def has(self, measure: str, source: str) -> bool:
        """Tell whether a source has any row of a measure."""
        return (measure, source) in self._measures

    def others(self, measure: str) -> list[str]:
        """Return the bins of a distribution, sorted."""
        return sorted({key[3] for key in self._rows if key[0] == measure and key[3] is not None})

    def effects(self) -> list[tuple[str, str, str, str | None, float, float | None]]:
        """Return each comparison of two sources, strongest first: (of, source, other, class, effect, adjusted p)."""
        found = []
        for (measure, source, name, other), row in self._rows.items():
            if measure.startswith("shift_") and measure.endswith("_effect"):
                of = measure.removeprefix("shift_").removesuffix("_effect")
                found.append((of, source, other, name, row["value"], self.get(f"shift_{of}_p", source, name, other)))
        return sorted(found, key=lambda row: (-abs(row[4]), row[:3], row[3] or ""))


def sources(found: Figures) -> list[dict[str, Any]]:
    """One row per source: images, patients, and how its images lie in the pools."""
    rows = []
    for source in found.sources:
        images, patients = found.count("images", source), found.count("patients", source)
        counts = [(pool, found.count("images", source, None, pool), role) for pool, role in POOL_ROLES.items()]
        rows.append(
            {
                "name": source,
                "dataset": source_sheet(source).title.split(" (")[0],
                "images": images,
                "patients": patients,
                "per_patient": f"{images / max(1, patients):.2f}",
                "bar": divided_bar(counts, total=images, width=150),
                "pools": [count for _, count, _ in counts],
            }
        )
    return rows


def effective(found: Figures) -> list[dict[str, Any]]:
    """How many patients each source's images are worth, whole and by pool."""
    places = (None, *POOLS)
    return [
        {"name": source, "worth": [found.get("effective_patients", source, None, pool) for pool in places]}
        for source in found.sources
    ]


def contradictions(found: Figures) -> list[dict[str, Any]]:
    """Images whose value of a class that the source labels itself holds by closure alone, and against a stated 0."""
    rows = []
    for name in vocabulary().classes:
        cells = [
            (found.count("by_closure", source, name), found.count("origin", source, name, "contradiction"))
            for source in found.sources
        ]
        if any(closed for closed, _ in cells):
            rows.append({"name": name, "cells": cells})
    return rows


def class_groups(found: Figures) -> list[dict[str, Any]]:
    """Every class by kind, a cell for each source; None where a source does not label it."""
    words = vocabulary()
    groups = {
        "Pathologies": words.pathologies,
        "Groups that reports name": words.finding_groups,
        "Unions of their children": words.unions,
        "Nothing found": (words.no_finding,),
    }
    return [
        {
            "title": title,
            "rows": [
                {"name": name, "cells": [_class_cell(found, source, name) for source in found.sources]}
                for name in names
            ],
        }
        for title, names in groups.items()
    ]


def _class_cell(found: Figures, source: str, name: str) -> dict[str, Any] | None:
    if not _has_labels(found, source, name):
        return None
    counts = [(VALUE_NAMES[v], found.count(v, source, name), role) for v, role in VALUE_ROLES.items() if role != "rest"]
    whole = found.count("images", source)
    title = f"{name}, {source}: " + ", ".join(f"{value} {count:,}" for value, count, _ in counts)
    return {
        "bar": divided_bar(counts, total=whole, width=84, title=title),
        "share": found.get("positives", source, name) or 0.0,
        "is_derived": name not in source_sheet(source).labelled,
    }


def _has_labels(found: Figures, source: str, name: str) -> bool:
    """Tell whether a source says anything of a class, be it through classes below it."""
    return name in source_sheet(source).labelled or found.count("positives", source, name) > 0


def distributions(found: Figures, measure: str, unit: str, of: str) -> list[dict[str, Any]]:
    """One histogram a source of ``labels_per_image`` or ``images_per_patient``, all to the same height."""
    bins = found.others(measure)
    shares = {
        source: [100 * (found.get(measure, source, None, name) or 0.0) for name in bins] for source in found.sources
    }
    tallest = max((share for of_source in shares.values() for share in of_source), default=0.0) or 100.0
    y = Axis(f"{unit}, %", low=0, high=1.02 * tallest)
    return [
        {
            "source": source,
            "count": sum(found.count(measure, source, None, name) for name in bins),
            "picture": plot(
                [_bars(shares[source])],
                title=f"{source}: {unit} by number of {of}",
                x=Axis(of, names=[str(int(name)) for name in bins]),
                y=y,
                size=(260, 110),
            ),
        }
        for source in found.sources
    ]


def by_pool(found: Figures, measure: str, unit: str, of: str) -> list[dict[str, Any]]:
    """One histogram a source with the pools side by side, for sources that have any."""
    rows = []
    for source in found.sources:
        pools = [pool for pool in POOLS if found.has(f"{measure}_{pool}", source)]
        bins = sorted({name for pool in pools for name in found.others(f"{measure}_{pool}")})
        shares = {
            pool: [100 * (found.get(f"{measure}_{pool}", source, None, name) or 0.0) for name in bins] for pool in pools
        }
        counts = [sum(found.count(f"{measure}_{pool}", source, None, name) for name in bins) for pool in pools]
        if pools:
            told = ", ".join(f"{pool} {count:,}" for pool, count in zip(pools, counts))
            title = f"{source}: {unit} by number of {of}, by pool"
            x = Axis(of, names=[str(int(name)) for name in bins])
            picture = grouped_bars(shares, title=title, x=x, y=f"{unit}, %", roles=POOL_ROLES, size=_POOL_BARS_PX)
            rows.append({"source": source, "counts": f"{unit}: {told}", "picture": picture})
    return rows


def _bars(shares: list[float]) -> Bars:
    texts = ["" if not share else "<1" if share < 0.5 else f"{share:.0f}" for share in shares]
    zeros, tips = [0.0] * len(shares), [f"{share:.1f} %" for share in shares]
    return Bars(range(len(shares)), zeros, shares, thick=0.8, is_upright=True, texts=texts, tips=tips)


def ratios(found: Figures) -> list[dict[str, Any]]:
    """One row per class that a source calls positive: uncertain for each positive, by source."""
    rows = [
        {"name": name, "ratios": [found.get("uncertain_to_positive", source, name) for source in found.sources]}
        for name in vocabulary().classes
    ]
    return [row for row in rows if any(ratio is not None for ratio in row["ratios"])]


def prevalences(found: Figures) -> list[dict[str, Any]]:
    """One row per class: the share of positive images in each pool of each source; None where it is not labelled."""
    return [
        {
            "name": name,
            "shares": [
                found.get("positives", source, name, pool) if _has_labels(found, source, name) else None
                for source in found.sources
                for pool in POOLS
            ],
        }
        for name in vocabulary().classes
    ]


def correlations(found: Figures) -> list[dict[str, Any]]:
    """One matrix a source, with the strongest pairs of findings in words."""
    return [
        {
            "source": source,
            "count": found.count("images", source),
            "picture": correlation_map(found, source),
            "strongest": _strongest(found, source),
        }
        for source in found.sources
    ]


def correlations_by_pool(found: Figures) -> list[dict[str, Any]]:
    """One matrix for each pool of each source that has one."""
    return [
        {
            "source": source,
            "pool": pool,
            "count": found.count("images", source, None, pool),
            "picture": correlation_map(found, source, pool),
            "strongest": _strongest(found, source, pool),
        }
        for source in found.sources
        for pool in POOLS
        if found.has(_correlations_of(pool), source)
    ]


def correlation_map(found: Figures, source: str, pool: str | None = None) -> Picture:
    """Draw one source's correlation of classes, of one pool or all; a class that never varies has empty squares."""
    classes = vocabulary().classes
    matrix = [[_correlation(found, source, i, j, pool) for j in range(len(classes))] for i in range(len(classes))]
    where = f"{source}, {pool}" if pool else source
    return heat_map(
        matrix,
        classes,
        title=f"{where}: correlation over images, uncertain as positive",
        description=_strongest(found, source, pool),
    )


def _correlations_of(pool: str | None) -> str:
    return f"correlation_{pool}" if pool else "correlation"


def _correlation(found: Figures, source: str, i: int, j: int, pool: str | None) -> float | None:
    classes = vocabulary().classes
    return None if i == j else found.get(_correlations_of(pool), source, classes[min(i, j)], classes[max(i, j)])


def _strongest(found: Figures, source: str, pool: str | None = None) -> str:
    """Return the strongest correlations that say something of patients: between findings, none above the other."""
    words = vocabulary()
    findings = {*words.pathologies, *words.finding_groups}
    pairs = [
        (value, one, other)
        for i, one in enumerate(words.classes)
        for j, other in enumerate(words.classes)
        if i < j
        and {one, other} <= findings
        and one not in words.ancestors(other)
        and other not in words.ancestors(one)
        and (value := found.get(_correlations_of(pool), source, one, other)) is not None
    ]
    strongest = sorted(pairs, key=lambda pair: -abs(pair[0]))[:_STRONGEST]
    return "; ".join(f"{one} and {other} {value:+.2f}" for value, one, other in strongest)


def shifts(found: Figures) -> list[dict[str, Any]]:
    """One row per comparison of two sources, strongest first; a shift is both sure and not small."""
    rows = []
    for of, source, other, name, effect, p in found.effects():
        is_shift = p is not None and p < SURE_P and abs(effect) >= SMALL_EFFECT
        rows.append(
            {
                "what": f"{_WORDS.get(of, of)} {name or ''}".strip(),
                "sources": f"{source} – {other}",
                "bar": signed_bar(effect, limit=LARGEST_EFFECT, role="s1" if is_shift else "muted"),
                "effect": f"{effect:+.2f}".replace("-", "−"),
                "p": "–" if p is None else "< 0.001" if p < 0.001 else f"{p:.3f}",
                "n": found.count(f"shift_{of}_effect", source, name, other),
                "is_shift": is_shift,
            }
        )
    return rows


def by_class(found: Figures, measure: str, title: str, unit: str) -> Picture:
    """Draw one point for each source and class, per hundred; classes without a figure, or with 0, have none."""
    classes = vocabulary().classes
    series = {
        source: [100 * value if (value := found.get(measure, source, name)) else None for name in classes]
        for source in found.sources
    }
    return points_in_rows(classes, series, title=title, unit=unit)


def side_by_side(found: Figures, measure: str, title: str, x: str, y: str) -> Picture:
    """Draw a distribution with the sources' bars beside each other, per hundred."""
    bins = found.others(measure)
    series = {
        source: [100 * (found.get(measure, source, None, name) or 0.0) for name in bins] for source in found.sources
    }
    return grouped_bars(series, title=title, x=Axis(x, names=[str(int(name)) for name in bins]), y=y)
