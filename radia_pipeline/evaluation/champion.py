"""The champion's history: who approved, refused or rolled back what, when and why. It only grows.

A line holds all that makes the table ``champion``, so that a rollback makes the same table again. Not here: what the
gate asks (``gate``), who may answer (``in_use``), the person's act as a whole (``usecases.promotion``).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from typing import Any, cast

from radia_pipeline.contracts.vocabulary import vocabulary
from radia_pipeline.errors import BadInput, DamagedFile, MissingTable
from radia_pipeline.evaluation.in_use import CHAMPION
from radia_pipeline.evaluation.panel import ENSEMBLE
from radia_pipeline.lake import renamed
from radia_pipeline.lake.lake import WHOLE, Lake, WriteResult
from radia_pipeline.lake.lines import LineForm, LinesFile

APPROVED, REFUSED, ROLLED_BACK = "approved", "refused", "rolled back"
VALIDATED, RESEARCH, DEMONSTRATION = "validated", "research", "demonstration"
"""Standing of a champion: by readings of a closed set of the hospital; without; by simulated readers of a demo."""
STANDINGS = {
    VALIDATED: "validated by readings of the hospital",
    RESEARCH: "for research only",
    DEMONSTRATION: "a demonstration: simulated readers made its truth",
}
"""What each means, in words."""


@dataclass(frozen=True)
class Candidate:
    """An ensemble as it stood when a person decided. ``predictions``: member, ``ensemble`` or ``test_predictions``, →
    data version."""

    release: str
    ensemble_version: str
    fingerprints: Mapping[str, str]
    predictions: Mapping[str, str]
    vocabulary: str

    @property
    def pins(self) -> list[str]:
        """Return the versions of tables without which it could not be made again."""
        return sorted({self.ensemble_version, *self.predictions.values()} - {""})


@dataclass(frozen=True)
class Act:
    """One line. ``candidate``: what was decided on; after a rollback what answers again, None where nothing does.

    ``refused``: rules that stood against it; ``waived``: those that the person let pass, by research or by stating a
    shift. ``before``: the champion until then; ``detector``: the one that stood beside it, as name/fingerprint.
    """

    at: str
    kind: str
    by: str
    reason: str
    candidate: Candidate | None
    standing: str | None = None
    stated_shift: str | None = None
    refused: tuple[str, ...] = ()
    waived: tuple[str, ...] = ()
    gate_version: str | None = None
    before: str | None = None
    detector: str | None = None

    @property
    def chosen(self) -> Candidate:
        """The candidate of an approval."""
        return cast(Candidate, self.candidate)  # only a rollback to nothing has none


@dataclass(frozen=True)
class Signature:
    """Who acts, and why."""

    by: str
    reason: str

    def __post_init__(self) -> None:
        if not self.by.strip() or not self.reason.strip():
            raise BadInput("A champion needs a name and a reason", accepted="--by WHO and --reason WHY")


@dataclass(frozen=True)
class Standing:
    """The champion that the history tells of, and those before it, the oldest first."""

    now: Act | None = None
    before: tuple[Act, ...] = ()
    acts: tuple[Act, ...] = field(default=(), repr=False)


def history(lake: Lake) -> tuple[Act, ...]:
    """Return every act so far, in order; raises DamagedFile where a line was changed or is gone."""
    return tuple(act for act in _file(lake) if act is not None)


def standing(lake: Lake) -> Standing:
    """Return what the history comes to: an approval puts a champion on top, a rollback takes it off."""
    acts = history(lake)
    stack: list[Act] = []
    for act in acts:
        if act.kind == APPROVED:
            stack.append(act)
        elif act.kind == ROLLED_BACK and stack:
            stack.pop()
    return Standing(stack[-1] if stack else None, tuple(stack[:-1]), acts)


def append(lake: Lake, act: Act) -> None:
    """Append an act durably, before what it tells of happens."""
    record = asdict(act)
    record["pins"] = act.candidate.pins + ([act.gate_version] if act.gate_version else []) if act.candidate else []
    _file(lake).append([record])


def require_sound(lake: Lake) -> None:
    """Raise DamagedFile now where ``append`` would."""
    _file(lake).require_sound_end()


def now() -> str:
    """Return the time as lines have it."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def publish(lake: Lake, act: Act | None) -> WriteResult | None:
    """Make the table ``champion`` what an approval says, or take it back where there is none.

    Raises MissingTable where the version of the ensemble that was approved is not kept any more.
    """
    if act is None or act.candidate is None:
        lake.withdraw(CHAMPION)
        return None
    one = act.candidate
    vocabulary().require(one.vocabulary, "The champion", do="approve an ensemble of the installed vocabulary")
    fixed = {
        "release": one.release,
        "ensemble_version": one.ensemble_version,
        "standing": act.standing,
        "stated_shift": act.stated_shift,
    }
    rows = []
    for row in _ensemble_rows(lake, one.ensemble_version):
        members = row["members"]
        prints = [one.fingerprints.get(name, "") for name in members]
        versions = [one.predictions.get(name, "") for name in (*members, ENSEMBLE)]
        rows.append({**row, **fixed, "fingerprints": prints, "predictions_versions": versions})
    return lake.write(CHAMPION, rows)


def _ensemble_rows(lake: Lake, version: str) -> list[dict]:
    if lake.exists(ENSEMBLE) and lake.version(ENSEMBLE) == version:
        return lake.read(ENSEMBLE).to_pylist()
    try:
        return lake.read_version(ENSEMBLE, WHOLE, version).to_pylist()
    except MissingTable:
        raise MissingTable(
            f"The ensemble {version[:12]} that was approved is not kept any more",
            do="restore _versions/ensemble of the lake from a backup",
        ) from None


def _parse(record: Mapping) -> Act:
    fields: dict[str, Any] = {name: record.get(name) for name in Act.__dataclass_fields__}
    fields["refused"], fields["waived"] = tuple(record.get("refused", ())), tuple(record.get("waived", ()))
    fields["candidate"] = Candidate(**record["candidate"]) if record["candidate"] else None
    if record["kind"] not in (APPROVED, REFUSED, ROLLED_BACK):
        raise ValueError(record["kind"])
    return Act(**fields)


_FORM = LineForm("act of the champion's history", _parse, drops_cut_end=True)


def _file(lake: Lake) -> LinesFile[Act]:
    return LinesFile(lake.champions_path, renamed.following(lake.root, _FORM), _damage)


def _damage(number: int, what: str) -> DamagedFile:
    return DamagedFile(
        f"The history of champions is damaged at line {number}: {what}",
        do="restore ledger/champions.jsonl of the lake from a backup",
    )
