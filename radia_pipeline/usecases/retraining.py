"""Retraining: the champion's recipes on today's manifests, when it may happen, what is new, what came of it.

A schedule, a drift report or a person may begin one; only a person makes anybody champion. What was begun and ended
stands in ``retrainings.jsonl`` of the lake, so that one that was killed goes on, two are not begun close together and
a budget of hours holds. Not here: the runs (``defs.retraining``), the gate.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

from radia_pipeline.contracts.vocabulary import vocabulary
from radia_pipeline.errors import DamagedFile, NotTrained
from radia_pipeline.evaluation.in_use import InUse, in_use
from radia_pipeline.lake.lake import Lake
from radia_pipeline.lake.lines import LineForm, LinesFile
from radia_pipeline.lake.settings import read_settings
from radia_pipeline.training.model_folders import read_card
from radia_pipeline.usecases.summary import model_figures

if TYPE_CHECKING:
    import pyarrow as pa

BEGUN, ENDED = "begun", "ended"
DAY_S, BUDGET_DAYS = 86_400.0, 30
_FORM = LineForm("line of a retraining", dict, drops_cut_end=True)


@dataclass(frozen=True)
class SourceChange:
    """What is new in one source since the models that answer were trained. Images are counted in manifests;
    ``relabelled``: images that stand in both with another label of some class; ``positives``: class → (then, now)."""

    source: str
    images_then: int
    images_now: int
    new: int
    gone: int
    relabelled: int
    positives: Mapping[str, tuple[int, int]]

    @property
    def is_none(self) -> bool:
        """Whether nothing has changed."""
        return not (self.new or self.gone or self.relabelled)


@dataclass(frozen=True)
class RetrainingPlan:
    """``recipes``: what would be trained; ``changes``: in the data, by source; ``against``: why it may not begin now,
    in words, empty where it may; ``continues``: the retraining that was begun and has not ended, None for none.
    ``spent_hours``: of the last thirty days, of ``budget_hours``; ``answers``: champion or ensemble."""

    recipes: tuple[str, ...]
    changes: tuple[SourceChange, ...]
    against: tuple[str, ...]
    continues: str | None
    spent_hours: float
    budget_hours: float
    answers: str


@dataclass(frozen=True)
class Retraining:
    """One retraining as the lake remembers it. ``figures``: model → mean figures on validation, before and after;
    ``hours`` of training; ``ended_s`` None where it has not ended."""

    identity: str
    begun_s: float
    why: str
    recipes: tuple[str, ...]
    changes: tuple[Mapping[str, Any], ...]
    before: Mapping[str, Any]
    after: Mapping[str, Any] = field(default_factory=dict)
    ended_s: float | None = None
    hours: float = 0.0


def plan_retraining(lake: Lake, now_s: float, estimate_hours: float = 0.0) -> RetrainingPlan:
    """Return what a retraining would train, on what new data, and what speaks against beginning it now.

    ``estimate_hours``: what it will take by the last trainings. Raises NotTrained before anything answers.
    """
    using, settings = in_use(lake), read_settings(lake.root)
    known = retrainings(lake)
    open_one = next((one for one in reversed(known) if one.ended_s is None), None)
    changes = tuple(_changes(lake, using))
    ended = [one.ended_s for one in known if one.ended_s is not None]
    spent = sum(one.hours for one in known if one.ended_s and one.ended_s > now_s - BUDGET_DAYS * DAY_S)
    against = []
    if open_one is None:
        if all(one.is_none for one in changes):
            against.append("nothing has changed in the manifests since what answers was trained")
        days = (now_s - max(ended)) / DAY_S if ended else None
        if days is not None and days < settings.retrain_after_days:
            against.append(
                f"the last retraining ended {days:.1f} days ago, and {settings.retrain_after_days:g} must lie between"
            )
        if spent + estimate_hours > settings.retrain_hours:
            against.append(
                f"{spent:.1f} hours were trained in {BUDGET_DAYS} days and this takes about {estimate_hours:.1f}; "
                f"the lake's settings allow {settings.retrain_hours:g}"
            )
    recipes = open_one.recipes if open_one else using.ensemble.used_members
    return RetrainingPlan(
        tuple(recipes),
        changes,
        tuple(against),
        open_one.identity if open_one else None,
        spent,
        settings.retrain_hours,
        using.kind,
    )


def _changes(lake: Lake, using: InUse) -> Iterator[SourceChange]:
    """Compare today's manifests with those on which the models that answer were trained, the newest of them."""
    then: dict[str, str] = {}
    for member in using.ensemble.used_members:
        try:
            then |= read_card(using.folder(member)).get("manifest_versions") or {}
        except NotTrained:
            continue
    for source in lake.partitions("manifest"):
        if then.get(source) == lake.version("manifest", source):
            continue
        yield _change(lake, source, then.get(source))


def _change(lake: Lake, source: str, version: str | None) -> SourceChange:
    names = [name for name in vocabulary().classes if name in lake.read("manifest", source).column_names]
    now = _labels(lake.read("manifest", source), names)
    before = {} if version is None else _labels(lake.read_version("manifest", source, version), names)
    both = now.keys() & before.keys()
    counts = {
        name: (sum(row[k] == 1 for row in before.values()), sum(row[k] == 1 for row in now.values()))
        for k, name in enumerate(names)
    }
    return SourceChange(
        source,
        len(before),
        len(now),
        len(now.keys() - before.keys()),
        len(before.keys() - now.keys()),
        sum(now[key] != before[key] for key in both),
        {name: two for name, two in counts.items() if any(two)},
    )


def _labels(table: pa.Table, names: list[str]) -> dict[str, tuple[int | None, ...]]:
    columns = [table.column(name).to_pylist() for name in names]
    return dict(zip(table.column("image_id").to_pylist(), zip(*columns, strict=True), strict=True))


def begin(lake: Lake, plan: RetrainingPlan, why: str, now_s: float) -> str:
    """Write down that a retraining begins, or go on with the one that was begun; returns its identity."""
    if plan.continues is not None:
        return plan.continues
    identity = uuid.uuid4().hex[:12]
    _file(lake).append(
        [
            {
                "kind": BEGUN,
                "id": identity,
                "at": now_s,
                "why": why,
                "recipes": list(plan.recipes),
                "changes": [asdict(one) for one in plan.changes],
                "figures": figures(lake),
            }
        ]
    )
    return identity


def end(lake: Lake, identity: str, hours: float) -> None:
    """Write down that a retraining has ended, how many hours were trained, and its figures."""
    _file(lake).append([{"kind": ENDED, "id": identity, "at": time.time(), "hours": hours, "figures": figures(lake)}])


def figures(lake: Lake) -> dict[str, Any]:
    """Return mean AUC and F1 of every model, with intervals, as the scorecard has them; empty before there is one."""
    return model_figures(lake) if lake.exists("scorecard") else {}


def retrainings(lake: Lake) -> list[Retraining]:
    """Return all retrainings, oldest first; raises DamagedFile."""
    found: dict[str, Retraining] = {}
    for line in _file(lake):
        if line is None:
            continue
        if line["kind"] == BEGUN:
            found[line["id"]] = Retraining(
                line["id"], line["at"], line["why"], tuple(line["recipes"]), tuple(line["changes"]), line["figures"]
            )
        else:
            told = {"after": line["figures"], "ended_s": line["at"], "hours": line["hours"]}
            found[line["id"]] = Retraining(**{**vars(found[line["id"]]), **told})
    return list(found.values())


def _file(lake: Lake) -> LinesFile[dict]:
    def damaged(number: int, what: str) -> DamagedFile:
        return DamagedFile(
            f"The list of retrainings is damaged at line {number}: {what}",
            do="restore retrainings.jsonl of the lake from a backup, or move it away; no model is touched",
        )

    return LinesFile(lake.root / "retrainings.jsonl", _FORM, damaged)
