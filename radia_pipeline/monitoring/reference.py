"""The frozen reference of a source: made once from a span of days, kept in ``drift_reference``, compared with for ever.

It stays until a person freezes a new one, or the models in use change: then the streams that are about models are made
anew of the same span. Not here: what is observed (``observed``), what is made of it (``report``).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import date, timedelta
from typing import Any

import numpy as np

from radia_pipeline.contracts.tables import contract
from radia_pipeline.lake.lake import Lake
from radia_pipeline.monitoring.arrived import Arrived
from radia_pipeline.monitoring.baseline import Baseline, Past, fit_baselines
from radia_pipeline.monitoring.observed import Observed, Part, Span, View, Watched, observe
from radia_pipeline.monitoring.protocol import Protocol
from radia_pipeline.monitoring.readouts import model_version
from radia_pipeline.monitoring.streams import RULE
from radia_pipeline.monitoring.windows import monday

TABLE = "drift_reference"
_NUMBERS = (
    "centre",
    "spread",
    "low",
    "high",
    "images",
    "windows",
    "per_window",
    "skewness",
    "offset_variance",
    "memory",
    "long_run_variance",
    "mean_variance",
    "limit",
    "wave",
)
LEAST_OF_A_KIND = 30
"""Values from which a kind of film gets a centre of its own."""
_NOT_YET = {"memory": 0.0, "limit": 0.0}
"""Columns that an earlier form of the table has not."""
THIN = 5
"""A window may lack a value for most of its rows; with less than one in so many it counts as none."""


@dataclass(frozen=True)
class Reference:
    """What a source is compared with: rows of ``drift_reference`` by stream."""

    rows: Mapping[str, Mapping[str, Any]]

    @property
    def span(self) -> Span:
        """First and last day."""
        one = next(iter(self.rows.values()))
        return date.fromisoformat(one["starts"]), date.fromisoformat(one["ends"])

    @property
    def rules(self) -> tuple[str, ...]:
        """Rules of reports that it watches."""
        return tuple(sorted(name.removeprefix(RULE) for name in self.rows if name.startswith(RULE)))

    def baseline(self, stream: str) -> Baseline:
        """Return a stream's numbers."""
        row = self.rows[stream]
        numbers = {name: row[name] for name in _NUMBERS}
        return Baseline(**{**numbers, "wave": tuple(row["wave"])})

    def adjusted(self, stream: str, part: Part) -> np.ndarray:
        """Return a window's values as if its mix of films were the reference's."""
        centres = {one["stratum"]: one["centre"] for one in self.rows[stream]["strata"]}
        return _adjusted(part, centres, self.rows[stream]["centre"])


def version_of(terms: Protocol) -> str:
    """Return the protocol's version with a hash of its words: a changed protocol is another one."""
    words = json.dumps(terms.model_dump(), sort_keys=True)
    return f"{terms.version}+{hashlib.sha256(words.encode()).hexdigest()[:8]}"


def week_of(day: date) -> float:
    """Return a day in weeks since a fixed one."""
    return day.toordinal() / 7


def read_reference(lake: Lake, source: str) -> Reference | None:
    """Return the reference of a source, None before it was frozen."""
    rows = lake.read(TABLE).to_pylist() if lake.exists(TABLE) else []
    mine = {row["stream"]: row for row in rows if row["source"] == source}
    return Reference(mine) if mine else None


def span_until(when: Arrived, day: date, terms: Protocol) -> Span | None:
    """Return the whole weeks of a reference that would be frozen on a day, None where nothing came in them."""
    ends = monday(day) - timedelta(days=1)
    starts = max(ends - timedelta(days=terms.reference.days - 1), monday(min(when.days, default=day)))
    return (starts, ends) if starts < ends and any(starts <= one <= ends for one in when.days) else None


def current(lake: Lake, source: str, when: Arrived, day: date, view: View) -> tuple[Reference | None, View]:
    """Return the reference that a day is compared with, freezing or renewing what must be, and the view that it fixes.

    None while too few windows came.
    """
    known = read_reference(lake, source)
    if known is None:
        span = span_until(when, day, view.protocol)
        return (None, view) if span is None else _frozen(lake, source, when, span, view)
    fixed = replace(view, rules=known.rules)
    model = model_version(view.ready)
    of_models = [row["model"] for row in known.rows.values() if row["model"] is not None]
    is_new_model = model is not None and model not in of_models
    if _is_of(known, view.protocol) and not is_new_model:
        return known, fixed
    return _frozen(lake, source, when, known.span, fixed)


def _frozen(lake: Lake, source: str, when: Arrived, span: Span, view: View) -> tuple[Reference | None, View]:
    found = freeze(lake, source, when, span, view)
    return found, view if found is None else replace(view, rules=found.rules)


def _is_of(known: Reference, terms: Protocol) -> bool:
    return all(row["protocol"] == version_of(terms) for row in known.rows.values())


def freeze(lake: Lake, source: str, when: Arrived, span: Span, view: View) -> Reference | None:
    """Make and publish the reference of a source from a span of days; None, and nothing changed, with few windows."""
    seen = observe(lake, source, when, [span], view)
    streams = [one for one in seen.streams if len(_usable(one.parts[0])) >= view.protocol.reference.least_windows]
    if not streams:
        return None
    strata = [_strata(one) for one in streams]
    pasts = [_past(one, centres) for one, centres in zip(streams, strata, strict=True)]
    baselines = fit_baselines(pasts, view.protocol.statistics.strictness)
    fixed = _facts_of(lake, source, when, span, seen, view)
    rows = [
        {
            "source": source,
            "stream": one.stream.name,
            "layer": one.stream.layer,
            "unit": one.stream.unit,
            "is_share": one.stream.is_share,
            **{name: asdict(base)[name] for name in _NUMBERS},
            "strata": [{"stratum": name, "centre": centre} for name, centre in sorted(centres.items())],
            **fixed,
            "model": model_version(view.ready) if one.stream.needs_model else None,
        }
        for one, centres, base in zip(streams, strata, baselines, strict=True)
    ]
    standing = lake.read(TABLE).to_pylist() if lake.exists(TABLE) else []
    lake.write(TABLE, [*(_as_today(row) for row in standing if row["source"] != source), *rows])
    return read_reference(lake, source)


def _as_today(row: Mapping[str, Any]) -> dict[str, Any]:
    """Return a row as the contract has it. One of an earlier form keeps its span, of which it is frozen anew before
    anything is compared with it: its protocol was another one."""
    return {name: row.get(name, _NOT_YET.get(name)) for name in contract(TABLE).columns}


def _facts_of(lake: Lake, source: str, when: Arrived, span: Span, seen: Observed, view: View) -> dict[str, Any]:
    machines = sorted({name for _, counts in seen.machines[0] for name in counts})
    return {
        "starts": span[0].isoformat(),
        "ends": span[1].isoformat(),
        "longest_gap_days": when.longest_gap(*span),
        "machines": machines,
        "protocol": version_of(view.protocol),
        "manifest": lake.version("manifest", source) if lake.exists("manifest", source) else None,
    }


def _usable(parts: Sequence[Part]) -> list[Part]:
    """Leave out windows that lack nearly all values of the stream."""
    if not parts:
        return []
    least = max(2.0, float(np.median([len(one.values) for one in parts])) / THIN)
    return [one for one in parts if len(one.values) >= least]


def usable(watched: Watched, span: int) -> list[Part]:
    """Return the windows of a span that say something of a stream."""
    return _usable(watched.parts[span])


def _strata(watched: Watched) -> dict[str, float]:
    parts = [one for one in _usable(watched.parts[0]) if len(one.kinds)]
    if not parts or watched.stream.is_share:
        return {}
    values, kinds = np.concatenate([one.values for one in parts]), np.concatenate([one.kinds for one in parts])
    found = {name: values[kinds == name] for name in sorted(set(kinds.tolist()))}
    return {name: float(one.mean()) for name, one in found.items() if len(one) >= LEAST_OF_A_KIND}


def _past(watched: Watched, centres: Mapping[str, float]) -> Past:
    parts = _usable(watched.parts[0])
    overall = float(np.concatenate([one.values for one in parts]).mean())
    values = [_adjusted(one, centres, overall) for one in parts]
    return Past(values, np.array([week_of(one.end) for one in parts]), watched.stream.is_share)


def _adjusted(part: Part, centres: Mapping[str, float], overall: float) -> np.ndarray:
    if not centres:
        return part.values
    return part.values - np.array([centres.get(kind, overall) for kind in part.kinds]) + overall
