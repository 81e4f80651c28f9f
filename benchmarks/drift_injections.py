"""Changes put into films, headers, reports and deliveries, and how soon the layer that should finds them.

Films are NIH's (one frontal film of each of 477 patients where ../shared/real stands, phantoms elsewhere), headers and
reports are drawn beside them; a window is 100 patients drawn with replacement, the reference 52 of them. Every stream
that such a source has is watched at once, five times for each injection. Beside it: Kolmogorov-Smirnov on
the newest window with Benjamini-Hochberg over the same streams. A machine that nobody knows and a source that falls
silent are put into whole lakes of 100 patients a week, of which a report is made each day.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from scipy import stats

from radia_pipeline.monitoring.actions import demanded
from radia_pipeline.monitoring.baseline import Baseline, Past, fit_baselines
from radia_pipeline.monitoring.discoveries import discovered
from radia_pipeline.monitoring.levels import RANK, levels
from radia_pipeline.monitoring.pixel_figures import pixel_figures
from radia_pipeline.monitoring.protocol import TICKET, protocol
from radia_pipeline.monitoring.report import build_report
from radia_pipeline.monitoring.watching import Seen, follow
from radia_pipeline.phantom.people import draw_patient
from radia_pipeline.phantom.radiograph import take
from radia_pipeline_tests.monitoring import worlds
from radia_pipeline_tests.monitoring.worlds import Story

REAL = Path(__file__).resolve().parents[2] / "shared" / "real" / "nih_cxr14" / "images"
REFERENCE, PATIENTS, QUIET, AFTER, REPEATS, KS_RATE = 52, 100, 10, 12, 5, 0.05
LAKE_SINCE, LAKE_WEEKS = 14, 4
SIDE_PX = 256
Film = np.ndarray
Row = dict[str, float]


def films() -> list[Film]:
    """Return one film of each patient as float (H, W), 0 to 1."""
    if REAL.is_dir():
        first = {path.name.split("_")[0]: path for path in sorted(REAL.glob("*.png"), reverse=True)}
        read = (cv2.imread(str(path), cv2.IMREAD_GRAYSCALE) for _, path in sorted(first.items()))
        return [cv2.resize(one, (SIDE_PX, SIDE_PX), interpolation=cv2.INTER_AREA) / 255.0 for one in read]
    patients = [draw_patient(15, "nih_cxr14", number, SIDE_PX) for number in range(200)]
    grey = [take(patient.studies[0].images[0].film).grey for patient in patients]
    return [cv2.resize(one.astype(np.float64), (SIDE_PX, SIDE_PX)) / max(float(one.max()), 1e-9) for one in grey]


def _gamma(film: Film) -> Film:
    return film**0.8


def _crop(film: Film) -> Film:
    cut = round(0.1 * SIDE_PX)
    return cv2.resize(film[cut:-cut, cut:-cut], (SIDE_PX, SIDE_PX), interpolation=cv2.INTER_AREA)


def _inverted(film: Film) -> Film:
    return 1.0 - film


def _blurred(film: Film) -> Film:
    return cv2.GaussianBlur(film, (0, 0), 1.5) * 0.95 + 0.02


PICTURES: Mapping[str, tuple[Callable[[Film], Film], float]] = {
    "gamma .8": (_gamma, 1.0),
    "crop of a tenth on every side": (_crop, 1.0),
    "inversion of 5 % of films": (_inverted, 0.05),
    "new machine, a third of films, softer": (_blurred, 1 / 3),
}
SHARES = {
    "women": 0.48,
    "lying": 0.35,
    "spacing missing": 0.004,
    "unread": 0.02,
    "uncertain": 0.12,
    "label A": 0.18,
    "label B": 0.05,
    "refused": 0.01,
    "rule negation": 0.7,
}
LAYER_OF = {"women": "tags", "lying": "tags", "spacing missing": "tags", "refused": "pipeline", "age": "tags"}
"""Of streams that are no figure of a film; the others are of reports."""


def _rest(rng: np.random.Generator, count: int) -> dict[str, np.ndarray]:
    """Draw what stands beside films: header, report, label minus calibrated score."""
    found = {name: (rng.random(count) < share).astype(float) for name, share in SHARES.items()}
    score = np.clip(rng.beta(1.2, 5.5, count), 0, 1)
    found["label A"] = (rng.random(count) < score).astype(float)
    found["label A minus score"], found["score A"] = found["label A"] - score, score
    found["age"], found["report length"] = np.clip(rng.normal(58, 17, count), 0, 90), rng.lognormal(5.5, 0.5, count)
    return found


def _age(rng: np.random.Generator, one: dict[str, np.ndarray]) -> None:
    one["age"] = np.clip(one["age"] + 5, 0, 90)


def _lost(rng: np.random.Generator, one: dict[str, np.ndarray]) -> None:
    one["spacing missing"] = (rng.random(len(one["age"])) < 0.3).astype(float)


def _prevalence(rng: np.random.Generator, one: dict[str, np.ndarray]) -> None:
    raised = rng.random(len(one["age"])) < 0.12
    one["score A"] = np.where(raised, np.clip(one["score A"] + 0.4, 0, 1), one["score A"])
    one["label A"] = (rng.random(len(raised)) < one["score A"]).astype(float)
    one["label A minus score"] = one["label A"] - one["score A"]


def _wording(rng: np.random.Generator, one: dict[str, np.ndarray]) -> None:
    lost = (rng.random(len(one["age"])) < 0.4) & (one["label A"] == 1)
    one["label A"] = np.where(lost, 0.0, one["label A"])
    one["label A minus score"] = one["label A"] - one["score A"]
    one["rule negation"] = (rng.random(len(lost)) < 0.5).astype(float)
    one["unread"] = np.maximum(one["unread"], (rng.random(len(lost)) < 0.08).astype(float))


BESIDE: Mapping[str, tuple[Callable[[np.random.Generator, dict[str, np.ndarray]], None], str]] = {
    "age, 5 years older": (_age, "tags"),
    "lost tag, 30 % of films": (_lost, "tags"),
    "prevalence of A from 18 to 23 %": (_prevalence, "scores"),
    "changed wording": (_wording, "reports"),
}


def injections() -> dict[str, Any]:
    """Put in each change; return the layer that found it, when, and what Kolmogorov-Smirnov did."""
    pool = films()
    plain = _table(pool)
    altered = {name: _table([change(film) for film in pool]) for name, (change, _) in PICTURES.items()}
    found: dict[str, Any] = {"films": len(pool), "real": REAL.is_dir()}
    starts = [_start(plain, seed) for seed in range(REPEATS)]
    for name in ("nothing", *PICTURES, *BESIDE):
        found[name] = _summed([_once(name, plain, altered, start, seed) for seed, start in enumerate(starts)])
    return found | in_lakes()


def _table(pool: list[Film]) -> dict[str, np.ndarray]:
    rows: list[Row] = [pixel_figures((np.clip(film, 0, 1) * 65535).astype(np.uint16)) for film in pool]
    table = {name: np.array([row[name] for row in rows]) for name in rows[0]}
    return table | {"like negatives": (table["mediastinum_grey"] < 0).astype(float)}


def _window(rng: np.random.Generator, plain: dict, other: dict | None, share: float, beside) -> dict[str, np.ndarray]:
    chosen = rng.integers(0, len(next(iter(plain.values()))), PATIENTS)
    is_other = rng.random(PATIENTS) < share
    values = {
        name: np.where(is_other, other[name][chosen], column[chosen]) if other else column[chosen]
        for name, column in plain.items()
    }
    rest = _rest(rng, PATIENTS)
    if beside is not None:
        beside(rng, rest)
    return values | rest


def _layer(stream: str) -> str:
    if stream in LAYER_OF:
        return LAYER_OF[stream]
    return (
        "scores"
        if stream.startswith("score")
        else "reports"
        if stream in _rest(np.random.default_rng(0), 2)
        else "pixels"
    )


@dataclass(frozen=True)
class _Start:
    """What comes before a change: windows of the reference and quiet ones after it, and the baselines."""

    past: list[dict[str, np.ndarray]]
    baselines: list[Baseline]


def _start(plain: dict, seed: int) -> _Start:
    rng = np.random.default_rng((15, seed))
    past = [_window(rng, plain, None, 0.0, None) for _ in range(REFERENCE + QUIET)]
    is_share = {stream: set(np.unique(past[0][stream])) <= {0.0, 1.0} for stream in past[0]}
    pasts = [Past([w[s] for w in past[:REFERENCE]], np.arange(REFERENCE), is_share[s]) for s in past[0]]
    return _Start(past, fit_baselines(pasts, protocol().statistics.strictness, seed))


def _once(name: str, plain: dict, altered: dict, start: _Start, seed: int) -> dict[str, Any]:
    rng, terms = np.random.default_rng((16, seed)), protocol().statistics
    other, share = (altered[name], PICTURES[name][1]) if name in PICTURES else (None, 0.0)
    beside = BESIDE[name][0] if name in BESIDE else None
    past, baselines, streams = start.past, start.baselines, list(start.past[0])
    later = [*past[REFERENCE:], *(_window(rng, plain, other, share, beside) for _ in range(AFTER))]
    tracks = [
        follow(b, [Seen(w[s], REFERENCE + n) for n, w in enumerate(later)], terms.strictness, terms.evidence_floor_sd)
        for b, s in zip(baselines, streams, strict=True)
    ]
    first: dict[str, tuple[int, str]] = {}
    before = 0
    for number in range(len(later)):
        row = levels(
            [t.p_value[number] for t in tracks],
            [t.strength[number] for t in tracks],
            [t.log_evidence[number] for t in tracks],
            terms,
        )
        for stream, action in zip(streams, row, strict=True):
            if RANK[action] >= RANK[TICKET]:
                before += number < QUIET
                if number >= QUIET:
                    first.setdefault(_layer(stream), (number - QUIET + 1, stream))
    pooled = {s: np.concatenate([w[s] for w in past[:REFERENCE]]) for s in streams}
    ks = [
        discovered([stats.ks_2samp(pooled[s], w[s], method="asymp").pvalue for s in streams], KS_RATE).any()
        for w in later
    ]
    hits = np.flatnonzero(ks[QUIET:])
    return {
        "layers": first,
        "false": before,
        "ks": int(hits[0]) + 1 if len(hits) else None,
        "ks_false": int(sum(ks[:QUIET])),
    }


def _summed(runs: list[dict[str, Any]]) -> dict[str, Any]:
    layers = sorted({layer for run in runs for layer in run["layers"]})
    told = {
        layer: {
            "found": sum(layer in run["layers"] for run in runs),
            "of": len(runs),
            "median_window": float(np.median([run["layers"][layer][0] for run in runs if layer in run["layers"]])),
            "by": sorted({run["layers"][layer][1] for run in runs if layer in run["layers"]}),
        }
        for layer in layers
    }
    ks = [run["ks"] for run in runs if run["ks"] is not None]
    return {
        "layers": told,
        "ks_bh": {"found": len(ks), "median_window": float(np.median(ks)) if ks else None},
        "quiet_windows": QUIET * len(runs),
        "alarms_on_them": sum(run["false"] for run in runs),
        "ks_bh_on_them": sum(run["ks_false"] for run in runs),
    }


def _unknown_machine(share: float) -> Callable[[np.random.Generator, dict[str, Any]], None]:
    def change(rng: np.random.Generator, film: dict[str, Any]) -> None:
        if rng.random() < share:
            film["device_model"] = "Y9"

    return change


IN_LAKES: Mapping[str, tuple[Story, str, str]] = {
    "never-seen machine, a third of films": (Story(_unknown_machine(1 / 3), LAKE_SINCE), "tags", "new machine"),
    "never-seen machine, a twentieth of films": (Story(_unknown_machine(0.05), LAKE_SINCE), "tags", "new machine"),
    "silent source, weekly deliveries": (Story(silent_from=LAKE_SINCE), "pipeline", "deliveries came"),
}
"""What happens from the week LAKE_SINCE on, the layer and the stream that should find it."""


def in_lakes() -> dict[str, Any]:
    """Make a report of each day of whole lakes; return on which day, counted from the first delivery that is not as
    before or does not come, each change was found; Kolmogorov-Smirnov looks at values and sees neither."""
    worlds.PATIENTS = PATIENTS
    found: dict[str, Any] = {}
    for name, (story, layer, stream) in IN_LAKES.items():
        days, false = [], 0
        for seed in range(REPEATS):
            with tempfile.TemporaryDirectory() as folder:
                day, before = _first_alarm(Path(folder), story, stream, seed)
            days.append(day)
            false += before
        hits = [day for day in days if day is not None]
        found[name] = {
            "layers": {
                layer: {"found": len(hits), "of": REPEATS, "median_day": float(np.median(hits)) if hits else None}
            },
            "alarms_before": false,
            "ks_bh": {"found": 0, "median_window": None},
        }
    return found


def _first_alarm(folder: Path, story: Story, stream: str, seed: int) -> tuple[int | None, int]:
    """Return the day of the stream's first alarm after the change, and how often it asked for something before."""
    lake = worlds.make(folder / "lake", LAKE_SINCE + LAKE_WEEKS, story, seed)
    begins, before = worlds.day_of(LAKE_SINCE), 0
    for number in range(-7, 7 * LAKE_WEEKS):
        day = begins + timedelta(days=number)
        build_report(lake, day)
        waits = any(row["stream"] == stream for row in demanded(lake).waiting)
        if waits and number >= 0:
            return number, before
        before += waits
    return None, before
