"""What the latest drift report demands and nobody has answered yet: the one question of retraining and promotion.

Not here: making a report (``report``), starting anything (``defs``).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from radia_pipeline.lake.lake import Lake
from radia_pipeline.monitoring.acknowledgements import ACKNOWLEDGED, Act, acts
from radia_pipeline.monitoring.levels import RANK
from radia_pipeline.monitoring.protocol import NONE, NOTE, TICKET

TABLE = "drift_report"


@dataclass(frozen=True)
class Demand:
    """What a report asks for. ``action``: the highest of its rows that wait for an answer, from ticket on, else none;
    ``waiting``, ``answered``: those rows; ``notes``: rows that merely stand out. ``day`` None before there is a report.
    """

    day: str | None = None
    action: str = NONE
    waiting: tuple[Mapping[str, Any], ...] = ()
    answered: tuple[tuple[Mapping[str, Any], Act], ...] = ()
    notes: tuple[Mapping[str, Any], ...] = ()


def alarms(demand: Demand, least: str) -> list[tuple[str, str]]:
    """Return (source, stream) of the rows that ask for an action or a higher one, answered or not, in order."""
    rows = [*demand.waiting, *(row for row, _ in demand.answered)]
    return sorted({(row["source"], row["stream"]) for row in rows if RANK[row["action"]] >= RANK[least]})


def demanded(lake: Lake, day: str | None = None) -> Demand:
    """Return what the newest report demands, or that of a day; raises MissingTable for a day without one."""
    days = lake.partitions(TABLE)
    if day is None and not days:
        return Demand()
    day = day or days[-1]
    rows = lake.read(TABLE, day).to_pylist()
    answers = [act for act in acts(lake) if act.kind == ACKNOWLEDGED and act.day >= day]
    waiting, answered = [], []
    for row in rows:
        if RANK[row["action"]] < RANK[TICKET]:
            continue
        answer = next((act for act in answers if act.answers(row["source"], row["stream"])), None)
        answered.append((row, answer)) if answer else waiting.append(row)
    action = max((row["action"] for row in waiting), key=RANK.__getitem__, default=NONE)
    notes = tuple(row for row in rows if row["action"] == NOTE)
    return Demand(day, action, tuple(waiting), tuple(answered), notes)
