"""The champion for a terminal and for ``--json``: what answers, the history, the gate's verdicts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from radia_pipeline.drawing.text import table
from radia_pipeline.errors import NotTrained
from radia_pipeline.evaluation.champion import APPROVED, RESEARCH, STANDINGS, history
from radia_pipeline.evaluation.gate import TABLE, basis_of
from radia_pipeline.evaluation.gate_words import REFUSED, WORDS
from radia_pipeline.evaluation.in_use import CHAMPION, in_use
from radia_pipeline.lake.lake import Lake


def shown(lake: Lake) -> dict[str, Any]:
    """Return what answers, the acts so far, and the gate's last verdicts."""
    acts = [asdict(act) for act in history(lake)]
    return {"answers": _answers(lake), "history": acts, "gate": gate_found(lake) if lake.exists(TABLE) else None}


def _answers(lake: Lake) -> dict[str, Any] | None:
    try:
        using = in_use(lake)
    except NotTrained:
        return None
    return {
        "kind": using.kind,
        "release": using.release,
        "standing": using.standing,
        "version": using.version,
        "stated_shift": using.stated_shift,
        "rule": using.ensemble.rule,
        "members": list(using.ensemble.used_members),
    }


def gate_found(lake: Lake) -> dict[str, Any]:
    """Return the gate's verdicts, the rules that refuse, whether they are of what stands now (``is_current``), or else
    those on which a person approved (``is_decided``)."""
    rows = lake.read(TABLE).to_pylist()
    refused = [rule for rule in WORDS if any((row["rule"], row["outcome"]) == (rule, REFUSED) for row in rows)]
    first = rows[0] if rows else {}
    is_current = bool(rows) and lake.exists("ensemble") and first["basis"] == basis_of(lake)
    decided = {act.gate_version for act in history(lake) if act.kind == APPROVED}
    return {
        "challenger": first.get("challenger"),
        "champion": first.get("champion"),
        "refused": refused,
        "is_current": is_current,
        "is_decided": not is_current and lake.version(TABLE) in decided,
        "verdicts": rows,
    }


def shown_text(found: Mapping[str, Any]) -> str:
    """Return all of it in words."""
    parts = [answers_words(found["answers"])]
    if found["history"]:
        parts.append(_history_text(found["history"]))
    if found["gate"]:
        parts.append(gate_text(found["gate"]))
    return "\n\n".join(parts)


def answers_words(answers: Mapping[str, Any] | None) -> str:
    """Return in one sentence what answers."""
    if answers is None:
        return "Nothing answers yet: no ensemble was built."
    of = f"{answers['rule'].replace('_', ' ')} of {', '.join(answers['members'])}"
    if answers["kind"] != CHAMPION:
        return f"The ensemble {answers['version'][:12]} answers ({of}); nobody has approved a champion."
    shift = f" Stated shift: {answers['stated_shift']}." if answers["stated_shift"] else ""
    return f"The champion {answers['release']} answers ({of}), {STANDINGS[answers['standing']]}.{shift}"


def _history_text(acts: Sequence[Mapping[str, Any]]) -> str:
    rows = []
    for act in acts:
        release = (act["candidate"] or {}).get("release") or "no champion"
        more = act["refused"] if act["kind"] == REFUSED else act["waived"]
        standing = act["standing"] or ("" if act["kind"] == REFUSED else "–")
        rows.append(
            [
                act["at"][:16].replace("T", " "),
                act["kind"],
                release,
                standing,
                act["by"],
                act["reason"],
                ", ".join(more),
            ]
        )
    return "History\n" + table(["when", "what", "release", "standing", "by", "why", "refused or waived"], rows)


def gate_text(found: Mapping[str, Any]) -> str:
    """Return the gate's verdicts: every rule, of many subjects those that refuse and how many there are."""
    beside = f"champion {found['champion']}" if found["champion"] else "no champion: fixed minima decide"
    lines: list[list[str]] = []
    for rule in (name for name in WORDS if any(row["rule"] == name for row in found["verdicts"])):
        mine = [row for row in found["verdicts"] if row["rule"] == rule]
        refused = [row for row in mine if row["outcome"] == REFUSED]
        outcomes = [row["outcome"] for row in mine]
        counts = ", ".join(f"{outcomes.count(name)} {name}" for name in dict.fromkeys(outcomes))
        outcome = REFUSED if refused else outcomes[0] if len(mine) == 1 else counts
        told = [f"{row['subject']}: {row['detail']}" for row in (refused or (mine if len(mine) == 1 else []))]
        lines += [
            [outcome if not place else "", rule_words(rule) if not place else "", text]
            for place, text in enumerate(told or [""])
        ]
    current = "" if found["is_current"] else f"\n{outdated_words(found)}"
    closing = f"Refused by {', '.join(found['refused'])}." if found["refused"] else "Nothing refuses."
    closing += "".join(f"\n{one}" for one in too_few_words(found["verdicts"]))
    return f"Gate: ensemble {found['challenger']} beside {beside}\n{table(['', 'rule', ''], lines)}\n{closing}{current}"


def rule_words(rule: str) -> str:
    """Return a rule's name as it is shown."""
    return rule.replace("_", " ").replace("auc", "AUC").replace("f1", "F1")


def outdated_words(found: Mapping[str, Any]) -> str:
    """Say of verdicts that are not of what stands now why they are not."""
    if found["is_decided"]:
        return "On these verdicts it was approved; they say nothing of what has changed since."
    return "Models, labels, readings or the champion have changed since: ask again."


def too_few_words(verdicts: Sequence[Mapping[str, Any]]) -> list[str]:
    """Say of rules that refuse for want of studies that this is no sign of a worse ensemble, and how many would do."""
    told = []
    for rule in WORDS:
        mine = [row for row in verdicts if row["rule"] == rule and row["outcome"] == REFUSED]
        if mine and all(row["studies_needed"] for row in mine):
            needed = max(row["studies_needed"] / row["studies"] for row in mine)
            told.append(
                f"{rule_words(rule)}: the data are too few to tell, which is no sign that this one is worse; "
                f"with {_times(needed)} as many studies of validation an equally good one passes four times in five."
            )
    return told


def _times(ratio: float) -> str:
    return f"about {ratio:.1f} times" if ratio < 10 else f"about {ratio:.0f} times"


def act_text(found: Mapping[str, Any]) -> str:
    """Return what an approval or a rollback came to."""
    if found["release"] is None:
        return f"Rolled back: {found['before']} answers no more, and no champion does. The ensemble answers."
    standing = STANDINGS[found["standing"]]
    before = f" in the place of {found['before']}" if found["before"] else ""
    waived = f" Let pass: {', '.join(found['waived'])}." if found["waived"] else ""
    more = " What it is used for says so everywhere." if found["standing"] == RESEARCH else ""
    return f"{found['act'].capitalize()}: {found['release']} is champion{before}, {standing}.{waived}{more}"
