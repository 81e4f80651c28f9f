"""How many studies the API answered on each day, and how many it refused and why: counts alone, where a person asks.

Kept in one small file of the lake, with no time of day, no class and no key, so that nothing of an answer can be told
from it. The drift report reads it as a source of its own. Not here: answering (``usecases.asking``), who serves.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any

from radia_pipeline.errors import DamagedFile
from radia_pipeline.lake import atomic
from radia_pipeline.lake.lake import Lake

API = "api"
"""Stands for the API where the drift report names sources."""
_ANSWERED = "answered"


@dataclass(frozen=True)
class Day:
    """Counts of studies: ``answered``, and ``refused`` by the reason of the first film that was."""

    answered: int = 0
    refused: Mapping[str, int] = field(default_factory=dict)

    @property
    def studies(self) -> int:
        """All of them."""
        return self.answered + sum(self.refused.values())


def count_answer(lake: Lake, day: date, studies: Sequence[Mapping[str, Any]]) -> None:
    """Add an answer's studies, as ``answer.schema.json`` has them, to the counts of a day, durably.

    Raises DamagedFile, LakeUnwritable, LakeLocked.
    """
    reasons = Counter(_reason(one) for one in studies if one["status"] != _ANSWERED)
    path = _path(lake)
    with lake.lock("api_answers"):
        known = _read(path)
        before = known.get(day.isoformat(), Day())
        answered = before.answered + sum(one["status"] == _ANSWERED for one in studies)
        known[day.isoformat()] = Day(answered, dict(Counter(before.refused) + reasons))
        content = {name: {"answered": one.answered, "refused": one.refused} for name, one in sorted(known.items())}
        atomic.write_text(path, json.dumps(content, indent=1) + "\n")


def answers_by_day(lake: Lake) -> dict[date, Day]:
    """Return the counts of every day on which a study was asked about, in order; none where nobody counts."""
    return {date.fromisoformat(name): one for name, one in sorted(_read(_path(lake)).items())}


def _reason(study: Mapping[str, Any]) -> str:
    return next((file["reason"] for file in study["files"] if file["reason"]), "unknown")


def _path(lake: Lake) -> Path:
    return lake.root / "api_answers.json"


def _read(path: Path) -> dict[str, Day]:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        return {name: Day(int(one["answered"]), one["refused"]) for name, one in content.items()}
    except FileNotFoundError:
        return {}
    except (ValueError, KeyError, TypeError, AttributeError):
        raise DamagedFile(
            "The counts of the API's answers cannot be read",
            do="move api_answers.json of the lake away; counting begins anew",
        ) from None
