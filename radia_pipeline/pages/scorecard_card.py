"""The model card and what changed, on the scorecard's page: facts that tables and cards of models hold, none typed.

Not here: figures class by class (``scorecard_figures``), the history of champions as a whole (``champion``).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pyarrow.compute as pc

from radia_pipeline.contracts.pools import POOLS
from radia_pipeline.contracts.sheets import source_sheet
from radia_pipeline.contracts.vocabulary import vocabulary
from radia_pipeline.errors import RadiaError
from radia_pipeline.evaluation.champion import STANDINGS, standing
from radia_pipeline.evaluation.combinations import MIN_POSITIVES
from radia_pipeline.evaluation.ensemble import SINGLE
from radia_pipeline.evaluation.gate import TABLE as GATE
from radia_pipeline.evaluation.in_use import CHAMPION, InUse, challenger_of, champion_of, in_use
from radia_pipeline.evaluation.panel import ENSEMBLE
from radia_pipeline.evaluation.release import release_id
from radia_pipeline.lake.keys import Pseudonymizer
from radia_pipeline.lake.lake import Lake
from radia_pipeline.pages.render import SHOWN_DIGITS
from radia_pipeline.training.model_folders import read_card
from radia_pipeline.usecases.answers import NOTICE
from radia_pipeline.usecases.champion_text import rule_words

Fact = tuple[str, str]
_MOST_NAMED = 8


def answers(lake: Lake) -> dict[str, Any]:
    """Return in words what answers in this lake, and whether a champion does; marks a champion for research."""
    try:
        using = in_use(lake)
    except RadiaError:
        return {"words": "nothing yet", "is_champion": False, "is_research": False, "shift": None}
    words = f"the ensemble {using.version[:SHOWN_DIGITS]}; nobody has approved a champion"
    if using.kind == CHAMPION:
        words = f"the champion {using.release}, {STANDINGS[str(using.standing)]}"
    return {
        "words": words,
        "is_champion": using.kind == CHAMPION,
        "is_research": using.standing == "research",
        "shift": using.stated_shift,
    }


def model_card(lake: Lake) -> list[dict[str, Any]]:
    """Return the card's parts, each with a heading and facts; empty before there is an ensemble."""
    if not lake.exists(ENSEMBLE):
        return []
    using = challenger_of(lake)
    parts = [
        {"name": "What it is", "facts": _identity(lake, using)},
        {"name": "Intended use", "facts": _use(lake)},
        {"name": "Data", "facts": _data(lake, using)},
        {"name": "Limits", "facts": _limits(lake)},
    ]
    return [part for part in parts if part["facts"]]


def _identity(lake: Lake, using: InUse) -> list[Fact]:
    used = using.ensemble.used_members
    facts = [("release", release_id(lake)), ("rule", _rule(using))]
    for name in used:
        card = _card_of(using, name)
        if card:
            recipe = card["recipe"]
            words = f"{recipe['model']['backbone']}, {recipe['input']['size_px']} px, model {card['fingerprint']}"
            facts.append((f"member {name}", words))
        else:
            facts.append((f"member {name}", "its model is not in this lake"))
    methods = [one.method for one in using.ensemble.calibrations]
    shown = ", ".join(f"{name} {methods.count(name)}" for name in dict.fromkeys(methods))
    return [*facts, ("calibration, classes", shown), ("coherence", using.ensemble.way)]


def _rule(using: InUse) -> str:
    rule = using.ensemble.rule
    return f"{rule.removeprefix(SINGLE)} alone" if rule.startswith(SINGLE) else rule.replace("_", " ")


def _card_of(using: InUse, name: str) -> dict[str, Any] | None:
    try:
        folder = using.folder(name)
        return {**read_card(folder), "fingerprint": folder.name}
    except RadiaError:
        return None


def _use(lake: Lake) -> list[Fact]:
    words = vocabulary()
    facts = [
        ("for", NOTICE),
        (
            "answers",
            f"{len(words.pathologies)} pathologies, {len(words.finding_groups) + len(words.unions)} groups and "
            f"{words.no_finding}; vocabulary {words.version}",
        ),
    ]
    champion = champion_of(lake)
    act = standing(lake).now
    if champion and act:
        facts.append(("champion", f"{champion.release}, approved by {act.by} on {act.at[:10]}: {act.reason}"))
        facts.append(("its standing", STANDINGS[str(champion.standing)]))
        if champion.stated_shift:
            facts.append(("stated shift", champion.stated_shift))
    if Pseudonymizer.is_demo(lake):
        facts.append(("lake", "made with the public demo key: invented or public data only"))
    return facts


def _data(lake: Lake, using: InUse) -> list[Fact]:
    facts = []
    for source in lake.partitions("manifest"):
        table = lake.read("manifest", source, columns=["patient_key", "study_id", "pool", "excluded"])
        table = table.filter(pc.is_null(table["excluded"]))
        for pool in POOLS:
            part = table.filter(pc.equal(table["pool"], pool))
            patients, studies = (pc.count_distinct(part[name]).as_py() for name in ("patient_key", "study_id"))
            counts = f"{patients:,} patients, {studies:,} studies, {part.num_rows:,} images"
            facts += [(f"{_title(source)}, {pool}", counts)] if part.num_rows else []
    if not facts:
        return []
    kinds = [_labels_of(source) for source in lake.partitions("manifest")]
    return [*facts, ("labels", "; ".join(dict.fromkeys(kinds)))]


def _title(source: str) -> str:
    try:
        return source_sheet(source).title
    except RadiaError:
        return source


def _labels_of(source: str) -> str:
    try:
        sheet = source_sheet(source)
    except RadiaError:
        return f"{source}: unknown"
    return f"{source}: {len(sheet.labelled)} classes labelled"


def _limits(lake: Lake) -> list[Fact]:
    facts = []
    rows = lake.read("scorecard").to_pylist() if lake.exists("scorecard") else []
    classes = set(vocabulary().classes)
    of = [
        row
        for row in rows
        if (row["model"], row["source"], row["view"], row["metric"]) == (ENSEMBLE, "all", "pool", "auc")
        and row["class"] in classes
        and row["pool"] == "validation"
    ]
    few = [row["class"] for row in of if min(row["positives"], row["studies"] - row["positives"]) < MIN_POSITIVES]
    if of:
        facts.append(
            (f"under {MIN_POSITIVES} positive or negative studies in validation", ", ".join(few) or "no class")
        )
    if lake.exists("scorecard_subgroups"):
        parts = lake.read("scorecard_subgroups").to_pylist()
        out = sorted(
            {
                f"{row['attribute']} {row['stratum']}"
                for row in parts
                if row["q_value"] is not None and row["q_value"] < 0.05 and row["class"] == "mean"
            }
        )
        facts.append(("subgroups whose mean AUC stands out", ", ".join(out).replace("_", " ") or "none"))
    if lake.exists(GATE):
        facts += _gate_limits(lake)
    return facts


def _gate_limits(lake: Lake) -> list[Fact]:
    rows = lake.read(GATE).to_pylist()
    if not rows or rows[0]["challenger"] != release_id(lake):
        return []
    unjudged = [row["subject"] for row in rows if (row["rule"], row["outcome"]) == ("subgroups", "not judged")]
    off = [
        f"{row['subject']} {row['value']:.2f}"
        for row in rows
        if (row["rule"], row["outcome"]) == ("calibration", "refused")
    ]
    truth = next((row["detail"] for row in rows if row["rule"] == "truth"), "")
    return [
        ("subgroups that the gate could not judge", _few(unjudged)),
        ("calibration slopes that do not hold 1", ", ".join(off) or "none"),
        ("truth by readings", truth),
    ]


def _few(subjects: list[str]) -> str:
    if len(subjects) > _MOST_NAMED:
        return f"{len(subjects)}, listed in champion.html"
    return ", ".join(subjects).replace("_", " ") or "none"


def changes(lake: Lake) -> dict[str, Any]:
    """Return what differs between the ensemble as it stands and the champion, or the release before; with the gate's
    differences where it judged the two."""
    champion = champion_of(lake)
    if champion is None or not lake.exists(ENSEMBLE):
        return {"beside": None, "facts": [], "verdicts": []}
    using = challenger_of(lake)
    facts = [("release", f"{champion.release} → {release_id(lake)}")]
    if champion.ensemble_version == using.version:
        facts.append(("ensemble", "the same table"))
    pairs = (
        ("rule", _rule(champion), _rule(using)),
        ("members", ", ".join(champion.ensemble.used_members), ", ".join(using.ensemble.used_members)),
        ("coherence", champion.ensemble.way, using.ensemble.way),
    )
    facts += [(name, f"{old} → {new}" if old != new else f"{old}, as before") for name, old, new in pairs]
    for name in using.ensemble.used_members:
        facts += _model_changes(champion, using, name)
    return {"beside": champion.release, "facts": facts, "verdicts": _differences(lake, str(champion.release))}


def _model_changes(champion: InUse, using: InUse, name: str) -> list[Fact]:
    old = _card_of(champion, name) if name in champion.fingerprints else None
    new = _card_of(using, name)
    if old is None or new is None:
        return []
    if old["fingerprint"] == new["fingerprint"]:
        return [(f"model {name}", "the same")]
    data = _changed(old.get("manifest_versions") or {}, new.get("manifest_versions") or {})
    told = [f"{old['fingerprint']} → {new['fingerprint']}"]
    told += [f"trained on other data of {', '.join(data)}"] if data else []
    told += ["another recipe"] if old["recipe"] != new["recipe"] else []
    return [(f"model {name}", "; ".join(told))]


def _changed(old: Mapping[str, str], new: Mapping[str, str]) -> list[str]:
    return sorted(name for name in {*old, *new} if old.get(name) != new.get(name))


def _differences(lake: Lake, champion: str) -> list[dict[str, Any]]:
    if not lake.exists(GATE):
        return []
    rows = lake.read(GATE).to_pylist()
    if not rows or (rows[0]["champion"], rows[0]["challenger"]) != (champion, release_id(lake)):
        return []
    return [{**row, "name": rule_words(row["rule"])} for row in rows if row["rule"] in ("mean_auc", "mean_f1", "speed")]
