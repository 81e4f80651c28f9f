"""Does the drift protocol keep quiet while nothing happens, and find what does? Simulations, a real table, injections.

``quiet``: quiet windows on which any of 40 streams asks for anything, per 1,000, for independent, clustered and
autocorrelated streams, the whole protocol as it is delivered, beside Kolmogorov-Smirnov with Benjamini-Hochberg. A
quarter of the streams are rare findings (from .4 %), a quarter are skewed. The reference is 52 windows of 100 patients.
Beside the shifts that are found: what the best test can find that keeps the same share of alarms.
``power``: share of shifts found in time. ``nih``: the label table of ChestX-ray14 (112,120 films, 30,805 patients) with
its patients in random order, their films together, and in its own order. ``injections``: changes put into films, tables
and reports, and which layer finds them when. Parts run one by one; each keeps its own entry of the result.
"""

from __future__ import annotations

import argparse
import csv
import gzip
import json
import os
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from drift_injections import injections
from drift_possible import possible
from scipy import stats

from radia_pipeline.monitoring.baseline import Baseline, Past, fit_baselines
from radia_pipeline.monitoring.discoveries import discovered
from radia_pipeline.monitoring.levels import RANK, levels
from radia_pipeline.monitoring.protocol import FREEZE, NOTE, TICKET, protocol
from radia_pipeline.monitoring.watching import Seen, Track, follow
from radia_pipeline.monitoring.windows import one_each

RESULT = Path(__file__).parent / "results" / "drift.json"
REAL = Path(__file__).resolve().parents[2] / "shared" / "real" / "tables" / "Data_Entry_2017_v2020.csv.gz"
STREAMS, REFERENCE, PATIENTS = 40, 52, 100
RARE = (0.004, 0.01, 0.03, 0.1, 0.3)
KS_RATE = 0.05
Windows = Sequence[np.ndarray]


@dataclass(frozen=True)
class Kind:
    """How quiet windows are made. ``offset_sd``, ``memory``: of what all images of a window share; ``films``: mean
    number of a patient's films; ``alike``: share of a film's variance that its patient has; ``patients``: of a window.
    """

    name: str
    offset_sd: float = 0.0
    memory: float = 0.0
    films: float = 1.0
    alike: float = 0.0
    patients: int = PATIENTS


KINDS = (
    Kind("independent"),
    Kind("clustered: 100 patients with 3 films each", films=3, alike=0.7),
    Kind("clustered: 100 films of 33 patients", films=3, alike=0.7, patients=33),
    Kind("autocorrelated: offsets of 0.05 SD, memory .7", 0.05, 0.7),
    Kind("autocorrelated: offsets of 0.1 SD, memory .6", 0.1, 0.6),
)


class World:
    """Streams of one kind. Values of a window (films,), with the patient of each."""

    def __init__(self, kind: Kind, windows: int, seed: int) -> None:
        self.kind, self.rng = kind, np.random.default_rng(seed)
        self.offsets = _offsets(kind, windows, self.rng)

    def window(self, stream: int, number: int) -> tuple[np.ndarray, np.ndarray]:
        """Return the values of all films of a window and their patients."""
        kind, rng = self.kind, self.rng
        counts = 1 + rng.poisson(kind.films - 1, kind.patients) if kind.films > 1 else np.ones(kind.patients, dtype=int)
        owner = np.repeat(np.arange(kind.patients), counts)
        noise = np.sqrt(kind.alike) * rng.normal(size=kind.patients)[owner]
        noise = noise + np.sqrt(1 - kind.alike) * rng.normal(size=len(owner))
        return _shaped(noise, stream, self.offsets[number, stream]), owner


def _offsets(kind: Kind, windows: int, rng: np.random.Generator) -> np.ndarray:
    found, state = np.zeros((windows, STREAMS)), rng.normal(size=STREAMS) * kind.offset_sd
    for number in range(windows):
        found[number] = state
        fresh = kind.offset_sd * np.sqrt(1 - kind.memory**2)
        state = kind.memory * state + fresh * rng.normal(size=STREAMS)
    return found


def is_share(stream: int) -> bool:
    """Tell whether a simulated stream is a share."""
    return stream < 2 * len(RARE)


def _shaped(noise: np.ndarray, stream: int, offset: float) -> np.ndarray:
    """Return values of a stream's own law, moved by ``offset`` standard deviations."""
    if is_share(stream):
        share = RARE[stream % len(RARE)]
        moved = np.clip(share + offset * np.sqrt(share * (1 - share)), 0.0, 1.0)
        return (noise > stats.norm.isf(moved)).astype(float)
    if stream < 20:
        return np.exp(0.7 * noise) + offset * 1.02  # SD of exp(.7 z) is 1.02
    return noise + offset


def moved(values: np.ndarray, stream: int, shift: float, rng: np.random.Generator) -> np.ndarray:
    """Return values of one image a patient, moved by ``shift`` standard deviations."""
    if not is_share(stream):
        return values + shift * (1.02 if stream < 20 else 1.0)
    share = RARE[stream % len(RARE)]
    raised = min(0.99, share + shift * np.sqrt(share * (1 - share)))
    return np.where((values == 0) & (rng.random(len(values)) < (raised - share) / (1 - share)), 1.0, values)


def fitted(windows: Sequence[Windows], shares: Sequence[bool], seed: int) -> list[Baseline]:
    """Return baselines of streams by their reference windows."""
    pasts = [Past(one, np.arange(len(one)), share) for one, share in zip(windows, shares, strict=True)]
    return fit_baselines(pasts, protocol().statistics.strictness, seed)


def tracked(baseline: Baseline, windows: Windows, first: int = REFERENCE) -> Track:
    """Return a stream's way over windows after the reference."""
    terms = protocol().statistics
    seen = [Seen(values, first + number) for number, values in enumerate(windows)]
    return follow(baseline, seen, terms.strictness, terms.evidence_floor_sd)


def asked(tracks: Sequence[Track]) -> np.ndarray:
    """Return the rank (windows, streams) of what each stream asks for on each window."""
    terms, count = protocol().statistics, len(tracks[0].shift)
    rows = [
        levels(
            [t.p_value[w] for t in tracks], [t.strength[w] for t in tracks], [t.log_evidence[w] for t in tracks], terms
        )
        for w in range(count)
    ]
    return np.array([[RANK[name] for name in row] for row in rows])


def told(ranks: np.ndarray) -> dict[str, float]:
    """Return windows per 1,000 on which any stream asks for at least a note, a ticket, a freeze."""
    return {name: round(1000 * float((ranks >= RANK[name]).any(axis=1).mean()), 2) for name in (NOTE, TICKET, FREEZE)}


def ks_alarms(reference: Sequence[Windows], windows: Sequence[Windows], every: int) -> float:
    """Return alarm windows per 1,000 of Kolmogorov-Smirnov with Benjamini-Hochberg, on every ``every``-th window."""
    pooled = [np.concatenate(one) for one in reference]
    hits = [
        discovered([stats.ks_2samp(p, w[n], method="asymp").pvalue for p, w in zip(pooled, windows)], KS_RATE).any()
        for n in range(0, len(windows[0]), every)
    ]
    return round(1000 * float(np.mean(hits)), 1)


def quiet(kind: Kind, windows: int, worlds: int, seed: int) -> dict:
    """Play the protocol on quiet windows and on shifts put into them."""
    terms = protocol().statistics
    shares = [is_share(stream) for stream in range(STREAMS)]
    ranks, power, naive, limits = [], {}, [], []
    for number in range(worlds):
        world = World(kind, REFERENCE + windows, seed + number)
        films = [[world.window(stream, w) for w in range(REFERENCE + windows)] for stream in range(STREAMS)]
        ones = [[_one_each(values, owner) for values, owner in one] for one in films]
        baselines = fitted([one[:REFERENCE] for one in ones], shares, seed + number)
        limits.append(float(np.median([b.limit for b in baselines])))
        tracks = [tracked(b, one[REFERENCE:]) for b, one in zip(baselines, ones, strict=True)]
        ranks.append(asked(tracks))
        every = [[values for values, _ in one] for one in films]
        naive.append(ks_alarms([e[:REFERENCE] for e in every], [e[REFERENCE:] for e in every], 4))
        for shift, within in ((0.2, 30), (0.5, 5)):
            for stream, (baseline, one) in enumerate(zip(baselines, ones, strict=True)):
                for start in (REFERENCE + 10, REFERENCE + windows // 2):
                    after = [moved(v, stream, shift, world.rng) for v in one[start : start + within]]
                    track = tracked(baseline, [*one[REFERENCE:start], *after])
                    said = track.strength[-within:] > 1
                    kinds = power.setdefault(shift, {"rare below 5 %": [], "others": []})
                    rare = is_share(stream) and RARE[stream % len(RARE)] < 0.05
                    kinds["rare below 5 %" if rare else "others"].append(int(np.argmax(said)) + 1 if said.any() else 0)
    together = np.concatenate(ranks)
    return {
        "kind": kind.name,
        "windows": len(together),
        "worlds": worlds,
        "median_limit": round(float(np.mean(limits)), 2),
        "alarm_windows_per_1000": told(together),
        "standard_error": _error(ranks),
        "ks_bh_all_films_per_1000": round(float(np.mean(naive)), 1),
        "found": {
            f"{shift} SD within {within}": {name: _found(delays) for name, delays in power[shift].items()}
            for shift, within in ((0.2, 30), (0.5, 5))
        },
        "possible": {
            f"{shift} SD within {within}": possible(
                shift,
                within,
                per_window=kind.patients,
                offset_sd=kind.offset_sd,
                memory=kind.memory,
                reference=REFERENCE,
                streams=STREAMS,
            )
            for shift, within in ((0.2, 30), (0.5, 5))
        },
        "terms": terms.model_dump(),
    }


def _error(ranks: Sequence[np.ndarray]) -> float:
    """Return the standard error of all alarms per 1,000 windows, by how worlds differ."""
    each = [1000 * float((one >= RANK[NOTE]).any(axis=1).mean()) for one in ranks]
    return round(float(np.std(each, ddof=1) / np.sqrt(len(each))), 1) if len(each) > 1 else float("nan")


def _one_each(values: np.ndarray, owner: np.ndarray) -> np.ndarray:
    return values[np.unique(owner, return_index=True)[1]]


def _found(delays: Sequence[int]) -> dict[str, float]:
    hits = [delay for delay in delays if delay]
    return {
        "share": round(len(hits) / len(delays), 3),
        "median_windows": float(np.median(hits)) if hits else None,
        "of": len(delays),
    }


# --- NIH's table -----------------------------------------------------------------------------------------------
FINDINGS = (
    "Atelectasis",
    "Cardiomegaly",
    "Consolidation",
    "Edema",
    "Effusion",
    "Emphysema",
    "Fibrosis",
    "Hernia",
    "Infiltration",
    "Mass",
    "No Finding",
    "Nodule",
    "Pleural_Thickening",
    "Pneumonia",
    "Pneumothorax",
)


def nih_table() -> dict[str, np.ndarray]:
    """Return the columns of NIH's table that are streams, with patient, image and follow-up number."""
    with gzip.open(REAL, "rt") as file:
        rows = list(csv.DictReader(file))
    found = {
        "age, years": np.array([float(row["Patient Age"]) for row in rows]).clip(0, 100),
        "sex F": np.array([row["Patient Gender"] == "F" for row in rows], dtype=float),
        "view AP": np.array([row["View Position"] == "AP" for row in rows], dtype=float),
        "width, px": np.array([float(row["OriginalImage[Width"]) for row in rows]),
        "height, px": np.array([float(row["Height]"]) for row in rows]),
        "pixel spacing, mm": np.array([float(row["OriginalImagePixelSpacing[x"]) for row in rows]),
    }
    labels = [set(row["Finding Labels"].split("|")) for row in rows]
    found |= {name: np.array([name in said for said in labels], dtype=float) for name in FINDINGS}
    return found | {
        "_patient": np.array([row["Patient ID"] for row in rows]),
        "_image": np.array([row["Image Index"] for row in rows]),
        "_follow": np.array([int(row["Follow-up #"]) for row in rows]),
    }


def _patient_windows(table: dict[str, np.ndarray], order: np.ndarray) -> list[np.ndarray]:
    """Return rows of windows of PATIENTS patients in this order of patients, one image of each."""
    rows = np.argsort(table["_patient"], kind="stable")
    names, first = np.unique(table["_patient"][rows], return_index=True)
    parts = np.split(rows, first[1:])
    windows = []
    for start in range(0, len(names) - PATIENTS + 1, PATIENTS):
        chosen = np.concatenate([parts[place] for place in order[start : start + PATIENTS]])
        windows.append(chosen[one_each(table["_patient"][chosen].tolist(), table["_image"][chosen].tolist())])
    return windows


def nih(orders: int) -> dict:
    """Play the protocol on NIH's table: random orders of patients, then its own two orders."""
    table = nih_table()
    names = [name for name in table if not name.startswith("_")]
    shares = [set(np.unique(table[name])) <= {0.0, 1.0} for name in names]
    patients = len(np.unique(table["_patient"]))
    ranks, naive = [], []
    for number in range(orders):
        windows = _patient_windows(table, np.random.default_rng(number).permutation(patients))
        streams = [[table[name][rows] for rows in windows] for name in names]
        tracks = _tracks(streams, shares, number)
        ranks.append(asked(tracks))
        naive.append(ks_alarms([s[:REFERENCE] for s in streams], [s[REFERENCE:] for s in streams], 4))
    together = np.concatenate(ranks)
    result = {
        "random_order": {
            "windows": len(together),
            "orders": orders,
            "alarm_windows_per_1000": told(together),
            "ks_bh_one_image_a_patient_per_1000": round(float(np.mean(naive)), 1),
        }
    }
    own = _patient_windows(table, np.arange(patients))
    result["order_of_patients"] = _findings(table, names, shares, own)
    by_follow_up = np.lexsort((table["_image"], table["_follow"]))
    rows = [by_follow_up[start : start + PATIENTS] for start in range(0, len(by_follow_up) - PATIENTS + 1, PATIENTS)]
    rows = [r[one_each(table["_patient"][r].tolist(), table["_image"][r].tolist())] for r in rows]
    result["order_of_follow_ups"] = _findings(table, names, shares, rows)
    return result


def _tracks(streams: Sequence[Windows], shares: Sequence[bool], seed: int) -> list[Track]:
    baselines = fitted([one[:REFERENCE] for one in streams], shares, seed)
    return [tracked(b, one[REFERENCE:]) for b, one in zip(baselines, streams, strict=True)]


def _findings(table: dict, names: Sequence[str], shares: Sequence[bool], windows: Sequence[np.ndarray]) -> dict:
    """Return, for each stream that asks for a ticket or more, when first, from what to what."""
    streams = [[table[name][rows] for rows in windows] for name in names]
    ranks = asked(_tracks(streams, shares, 0))
    found = {}
    for place, name in enumerate(names):
        tickets, frozen = (
            np.flatnonzero(ranks[:, place] >= RANK[TICKET]),
            np.flatnonzero(ranks[:, place] >= RANK[FREEZE]),
        )
        if len(tickets):
            usual = float(np.concatenate(streams[place][:REFERENCE]).mean())
            last = float(np.concatenate(streams[place][-REFERENCE:]).mean())
            found[name] = {
                "first_ticket_window": int(tickets[0]) + 1,
                "windows_with_ticket": len(tickets),
                "first_freeze_window": int(frozen[0]) + 1 if len(frozen) else None,
                "reference": round(usual, 4),
                "last_52_windows": round(last, 4),
            }
    return {
        "windows_after_reference": len(windows) - REFERENCE,
        "streams": len(names),
        "found": dict(sorted(found.items(), key=lambda item: item[1]["first_ticket_window"])),
    }


def keep(name: str, content: object) -> None:
    """Put one part into the result and print it."""
    known = json.loads(RESULT.read_text(encoding="utf-8")) if RESULT.exists() else {}
    known |= {"machine": f"{os.cpu_count()} cores, shared", name: content}
    RESULT.write_text(json.dumps(known, indent=1) + "\n", encoding="utf-8")
    print(json.dumps({name: content}), flush=True)


def main() -> None:
    """Run one part, or all."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--part", choices=(*(f"quiet{n}" for n in range(len(KINDS))), "nih", "injections"))
    parser.add_argument("--windows", type=int, default=250)
    parser.add_argument("--worlds", type=int, default=8)
    options = parser.parse_args()
    parts: dict[str, Callable[[], object]] = {
        f"quiet{n}": lambda kind=kind: quiet(kind, options.windows, options.worlds, 9000)
        for n, kind in enumerate(KINDS)
    }
    parts |= {"nih": lambda: nih(4), "injections": injections}
    for name, run in parts.items():
        if options.part in (None, name) and (name != "nih" or REAL.exists()):
            started = time.monotonic()
            keep(name, run())
            print(f"{name}: {time.monotonic() - started:.0f} s", flush=True)


if __name__ == "__main__":
    main()
