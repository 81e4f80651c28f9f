"""The champion's page: what answers, who approved, refused or rolled back what, the gate's verdicts, the test ledger.

Not here: deciding any of it (``usecases.promotion``), the figures of models (``scorecard``).
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from radia_pipeline.drawing.small import whisker
from radia_pipeline.evaluation.champion import REFUSED as ACT_REFUSED
from radia_pipeline.evaluation.champion import STANDINGS, Act, Standing, standing
from radia_pipeline.evaluation.comparing import all_notes
from radia_pipeline.evaluation.gate import TABLE
from radia_pipeline.evaluation.gate_words import NOT_JUDGED, REFUSED, WORDS
from radia_pipeline.lake.atomic import write_text
from radia_pipeline.lake.lake import Lake
from radia_pipeline.pages.render import made_from, render
from radia_pipeline.pages.scorecard_card import answers
from radia_pipeline.pages.scorecard_figures import ledger
from radia_pipeline.usecases.champion_text import gate_found, outdated_words, rule_words, too_few_words
from radia_pipeline.usecases.summary import test_pool_counts, test_pool_words

SECTIONS = (
    ("history", "History"),
    ("gate", "The gate"),
    ("verdicts", "Every verdict"),
    ("notes", "Notes on models"),
    ("test-pool", "Uses of the test pool"),
    ("reading", "How to read this"),
)
DIFFERENCES = ("mean_auc", "mean_f1", "subgroups", "expert_sets")
COUNTS = ("release", "coherence", "truth", "readers")
"""Rules whose values are whole numbers."""
COLUMNS = {
    "low": [("95 % interval", "")],
    "picture": [("−.3 to .3", "")],
    "bound": [("bound", "r")],
    "champion_value": [("this", "r"), ("champion", "r")],
    "studies": [("positive / studies", "r")],
}
"""What a table of verdicts shows only where a verdict of the rule has it."""


def write_champion_page(lake: Lake, path: Path | str) -> Path:
    """Write the page and return its path; sections that have nothing yet say so."""
    write_text(Path(path), render("champion.html.j2", _content(lake)))
    return Path(path)


def _content(lake: Lake) -> dict[str, Any]:
    gate = gate_found(lake) if lake.exists(TABLE) else None
    known = standing(lake)
    acts = [_act(act) for act in reversed(known.acts)]
    return {
        "title": "Champion",
        "made_from": made_from(lake, "champion", "ensemble", TABLE),
        "sections": SECTIONS,
        "tiles": _tiles(acts, gate),
        "answers": answers(lake),
        "now": _act(known.now) if known.now else None,
        "goes_back_to": _goes_back_to(known),
        "acts": acts,
        "gate": gate,
        "outdated": outdated_words(gate) if gate and not gate["is_current"] else "",
        "too_few": too_few_words(gate["verdicts"]) if gate else [],
        "rules": _rules(gate["verdicts"]) if gate else [],
        "notes": [_note(note) for note in reversed(all_notes(lake))],
        "ledger": ledger(lake),
        "test_pool": test_pool_words(**test_pool_counts(lake)),
    }


def _goes_back_to(known: Standing) -> str:
    if known.now is None:
        return ""
    if not known.before:
        return "the ensemble as it stands, for there was no champion before"
    back = known.before[-1]
    return f"{back.chosen.release}, {STANDINGS[str(back.standing)]}, approved {_day(back)} by {back.by}"


def _day(act: Act) -> str:
    return act.at[:10]


def _act(act: Act) -> dict[str, Any]:
    is_refused = act.kind == ACT_REFUSED
    return {
        "at": act.at[:16].replace("T", " "),
        "kind": act.kind,
        "by": act.by,
        "reason": act.reason,
        "release": act.candidate.release if act.candidate else "no champion",
        "before": act.before,
        "standing": STANDINGS.get(act.standing or "", ""),
        "shift": act.stated_shift,
        "is_refused": is_refused,
        "rules": ", ".join(rule_words(rule) for rule in (act.refused if is_refused else act.waived)),
    }


def _note(note: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a person wrote of two models, with the differences of their means that it speaks of."""
    told = [
        f"{row['figure'].upper()} {_number(one['value'], False)} ({_number(one['low'], False)} to "
        f"{_number(one['high'], False)})"
        for row in note["rows"]
        if (one := row["difference"])["value"] is not None
    ]
    return {
        "at": note["when"][:16].replace("T", " "),
        "pair": f"{note['first']} − {note['second']}",
        "who": note["who"],
        "note": note["note"],
        "differences": ", ".join(told) or "–",
        "studies": note["studies"],
    }


def _tiles(acts: list[dict[str, Any]], gate: Mapping[str, Any] | None) -> list[dict[str, str]]:
    kinds = [act["kind"] for act in acts]
    tiles = [
        {"name": kind, "value": str(kinds.count(kind)), "note": "in the history"}
        for kind in ("approved", ACT_REFUSED, "rolled back")
    ]
    if gate:
        since = (
            "" if gate["is_current"] else ", when it was approved" if gate["is_decided"] else ", before what changed"
        )
        note = f"release {gate['challenger']}{since}"
        tiles.append({"name": "rules that refuse", "value": str(len(gate["refused"])), "note": note})
    return tiles


def _rules(verdicts: list[Mapping[str, Any]]) -> list[dict[str, Any]]:
    found = []
    for rule, asks in WORDS.items():
        mine = [row for row in verdicts if row["rule"] == rule]
        if not mine:
            continue
        outcomes = [row["outcome"] for row in mine]
        outcome = REFUSED if REFUSED in outcomes else NOT_JUDGED if set(outcomes) == {NOT_JUDGED} else "passed"
        counts = ", ".join(f"{outcomes.count(name)} {name}" for name in dict.fromkeys(outcomes))
        order = sorted(mine, key=lambda row: (row["outcome"] != REFUSED, row["outcome"] == NOT_JUDGED, row["subject"]))
        found.append(
            {
                "name": rule_words(rule),
                "asks": asks,
                "outcome": outcome,
                "is_refused": outcome == REFUSED,
                "counts": counts if len(mine) > 1 else "",
                "detail": order[0]["detail"] if len(mine) == 1 or outcome == REFUSED else "",
                "subject": order[0]["subject"] if outcome == REFUSED and len(mine) > 1 else "",
                "measure": order[0]["measure"],
                **_table([_verdict(row) for row in order]),
            }
        )
    return found


def _table(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """Return a rule's verdicts with the columns in which one of them has something; those of many that were not judged
    as a list, by what is said of them."""
    unjudged = [row for row in rows if row["is_quiet"]] if len(rows) > 1 else []
    rows = [row for row in rows if row not in unjudged]
    has = [name for name in COLUMNS if any(row[name] not in (None, "–", 0) for row in rows)]
    columns = [("of", ""), ("value", "r"), *(one for name in has for one in COLUMNS[name]), ("in words", "")]
    by_detail: dict[str, list[str]] = {}
    for row in unjudged:
        positive = f"{row['positives']:,} positive of " if row["positives"] else ""
        by_detail.setdefault(row["detail"], []).append(f"{row['subject']} ({positive}{row['studies']:,})")
    return {"rows": rows, "has": has, "columns": columns, "unjudged": list(by_detail.items())}


def _verdict(row: Mapping[str, Any]) -> dict[str, Any]:
    numbers = ("value", "low", "high", "bound", "challenger_value", "champion_value")
    shown = {name: _number(row[name], row["rule"] in COUNTS) for name in numbers}
    is_difference = row["rule"] in DIFFERENCES and row["champion_value"] is not None and row["value"] is not None
    picture = None
    if is_difference:
        role = "s1" if row["outcome"] == REFUSED else "s0"
        ends = row["value"], row["low"], row["high"]
        picture = whisker(*ends, start=-0.3, stop=0.3, guide=row["bound"], width=118, role=role)
    keys = ("subject", "outcome", "measure", "detail", "positives", "studies", "patients")
    return {
        **{key: row[key] for key in keys},
        **shown,
        "picture": picture,
        "is_refused": row["outcome"] == REFUSED,
        "is_quiet": row["outcome"] == NOT_JUDGED,
    }


def _number(value: float | None, is_count: bool) -> str:
    if value is None:
        return "–"
    whole = f"{value:.0f}" if is_count or (float(value).is_integer() and abs(value) >= 1) else f"{value:.3f}"
    return whole.replace("-", "−")
