"""A person's act: make the released ensemble champion, or put the one before back. The detector follows a rollback.

The history has its line before anything that answers changes. Not here: what the gate asks (``evaluation.gate``), the
history's form (``evaluation.champion``).
"""

from __future__ import annotations

from dataclasses import dataclass

from radia_pipeline.contracts.vocabulary import vocabulary
from radia_pipeline.detection.identity import latest_detector
from radia_pipeline.errors import BadInput, MissingTable, NotTrained, PromotionRefused
from radia_pipeline.evaluation.champion import (
    APPROVED,
    DEMONSTRATION,
    REFUSED,
    RESEARCH,
    ROLLED_BACK,
    VALIDATED,
    Act,
    Candidate,
    Signature,
    append,
    now,
    publish,
    require_sound,
    standing,
)
from radia_pipeline.evaluation.gate import TABLE as GATE
from radia_pipeline.evaluation.gate import basis_of
from radia_pipeline.evaluation.gate_words import WORDS
from radia_pipeline.evaluation.in_use import challenger_of, champion_of
from radia_pipeline.evaluation.panel import ENSEMBLE
from radia_pipeline.evaluation.release import TABLE as TEST_SCORES
from radia_pipeline.evaluation.release import release_id
from radia_pipeline.lake.lake import Lake
from radia_pipeline.monitoring.actions import demanded
from radia_pipeline.monitoring.levels import RANK
from radia_pipeline.monitoring.protocol import FREEZE
from radia_pipeline.readings.truth import answers_by_set
from radia_pipeline.training.model_folders import is_finished, latest_model, point
from radia_pipeline.usecases.champion_text import too_few_words

TRUTH, CALIBRATION, READERS = "truth", "calibration", "readers"


@dataclass(frozen=True)
class Approval:
    """What a person says. ``is_research``: the champion is for research, whatever truth there is; ``stated_shift``:
    what is known of a calibration that is off, in words that stand beside its answers."""

    signature: Signature
    is_research: bool = False
    stated_shift: str | None = None

    def waives(self) -> frozenset[str]:
        """Return the rules of the gate that the person may let pass."""
        return frozenset([TRUTH] * self.is_research + [CALIBRATION] * bool(self.stated_shift))


@dataclass(frozen=True)
class PromotionResult:
    """What came of it. ``release``: what answers now, None where the ensemble does; ``before``: what did."""

    act: str
    release: str | None
    standing: str | None
    before: str | None
    waived: tuple[str, ...]
    members: dict[str, str]
    version: str | None


def approve(lake: Lake, given: Approval) -> PromotionResult:
    """Make the ensemble as it stands champion, by the verdicts of the gate on it.

    Raises PromotionRefused where a rule refuses that the person may not waive, which the history keeps, and before that
    while a drift report freezes promotions; BadInput where the gate has not judged what stands now; DamagedFile where a
    reading set is not as it was closed.
    """
    with lake.lock("champion"):
        require_sound(lake)
        _mend(lake)
        _require_no_freeze(lake)
        answers_by_set(lake)  # raises where a set is not as it was closed
        verdicts = _verdicts(lake)
        against = tuple(dict.fromkeys(row["rule"] for row in verdicts if row["outcome"] == REFUSED))
        stands = tuple(rule for rule in against if rule not in given.waives())
        champion = champion_of(lake)
        act = Act(
            now(),
            REFUSED if stands else APPROVED,
            given.signature.by.strip(),
            given.signature.reason.strip(),
            _candidate(lake),
            None if stands else _standing(given, verdicts),
            given.stated_shift,
            against,
            tuple(rule for rule in against if rule in given.waives()),
            lake.version(GATE),
            champion.release if champion else None,
            _detector(lake),
        )
        append(lake, act)
        if stands:
            raise PromotionRefused(_reasons(verdicts, stands), do=_advice(verdicts, stands))
        written = publish(lake, act)
    return _result(act, written.version if written else None)


def roll_back(lake: Lake, signature: Signature) -> PromotionResult:
    """Put the champion before back, with the detector that stood beside it; before the first the ensemble answers.

    Raises BadInput where there is no champion, NotTrained where a model of the one before is gone, VocabularyMismatch
    where it speaks another vocabulary.
    """
    with lake.lock("champion"):
        require_sound(lake)
        _mend(lake)
        known = standing(lake)
        if known.now is None:
            raise BadInput("There is no champion to roll back", do="approve one with `radia champion approve`")
        back = known.before[-1] if known.before else None
        if back is not None:
            _require_models(lake, back.chosen)
        act = Act(
            now(),
            ROLLED_BACK,
            signature.by.strip(),
            signature.reason.strip(),
            back.candidate if back else None,
            back.standing if back else None,
            back.stated_shift if back else None,
            before=known.now.chosen.release,
            detector=_detector(lake),
        )
        append(lake, act)
        written = publish(lake, act)
        _put_detector_back(lake, known.now.detector)
    return _result(act, written.version if written else None)


def _require_no_freeze(lake: Lake) -> None:
    demand = demanded(lake)
    if frozen := [row for row in demand.waiting if RANK[row["action"]] >= RANK[FREEZE]]:
        raise PromotionRefused(
            f"The drift report of {demand.day} freezes promotions: {len(frozen)} alarms wait for an answer",
            do="look at `radia drift show` and answer with `radia drift acknowledge`",
        )


def _mend(lake: Lake) -> None:
    """Make the table ``champion`` what the history says, where a kill came between the two."""
    said, champion = standing(lake).now, champion_of(lake)
    told = (said.chosen.release, said.standing, said.stated_shift) if said else None
    found = (champion.release, champion.standing, champion.stated_shift) if champion else None
    if told != found and (said is None or said.chosen.vocabulary == vocabulary().version):
        publish(lake, said)


def _verdicts(lake: Lake) -> list[dict]:
    ask = "ask the gate: `radia champion check`, or materialize gate_verdicts with champion"
    try:
        rows = lake.read(GATE).to_pylist()
    except MissingTable:
        raise BadInput("The gate has not judged this ensemble", do=ask) from None
    if not rows or rows[0]["basis"] != basis_of(lake):
        raise BadInput("The gate judged something else: models, labels or readings have changed since", do=ask)
    return rows


def _candidate(lake: Lake) -> Candidate:
    challenger = challenger_of(lake)
    members = challenger.ensemble.members
    versions = {name: lake.version("predictions", name) for name in (*members, ENSEMBLE)}
    if lake.exists(TEST_SCORES):
        versions[TEST_SCORES] = lake.version(TEST_SCORES)
    prints = {name: _fingerprint(lake, name) for name in members}
    return Candidate(release_id(lake), challenger.version, prints, versions, vocabulary().version)


def _fingerprint(lake: Lake, member: str) -> str:
    try:
        return latest_model(lake, member).name
    except NotTrained:
        return ""


def _standing(given: Approval, verdicts: list[dict]) -> str:
    if given.is_research:
        return RESEARCH
    simulated = any(row["rule"] == READERS and row["value"] for row in verdicts)
    return DEMONSTRATION if simulated else VALIDATED


def _reasons(verdicts: list[dict], rules: tuple[str, ...]) -> str:
    told = []
    for rule in (name for name in WORDS if name in rules):
        mine = [row for row in verdicts if (row["rule"], row["outcome"]) == (rule, REFUSED)]
        more = f" (and {len(mine) - 1} more)" if len(mine) > 1 else ""
        told.append(f"{rule}, {mine[0]['subject']}: {mine[0]['detail']}{more}")
    return "The gate refuses: " + "; ".join(told)


_ADVICE = {
    TRUTH: "without such a truth only a champion for research can be approved (--research)",
    CALIBRATION: "or state the shift (--shift), which stands beside its answers",
}


def _advice(verdicts: list[dict], rules: tuple[str, ...]) -> str:
    if set(rules) <= set(_ADVICE):
        return "; ".join(_ADVICE[rule] for rule in rules)
    short = too_few_words([row for row in verdicts if row["rule"] in rules])
    return " ".join(
        [*short, "look at `radia champion check` and at the scorecard's page; what answers was not changed"]
    )


def _require_models(lake: Lake, candidate: Candidate) -> None:
    vocabulary().require(candidate.vocabulary, "The champion before", do="approve an ensemble of today's vocabulary")
    for name, fingerprint in candidate.fingerprints.items():
        if fingerprint and not is_finished(lake.models_dir / name / fingerprint):
            raise NotTrained(f"The model {name} of the champion before is gone", do="restore models/ from a backup")


def _detector(lake: Lake) -> str | None:
    try:
        folder = latest_detector(lake)
    except NotTrained:
        return None
    return f"{folder.parent.name}/{folder.name}"


def _put_detector_back(lake: Lake, named: str | None) -> None:
    if named is None or not is_finished(lake.models_dir / "detector" / named):
        return
    name, fingerprint = named.split("/")
    for place in (lake.models_dir / "detector" / name, lake.models_dir / "detector"):
        point(place, {"name": name, "fingerprint": fingerprint})


def _result(act: Act, version: str | None) -> PromotionResult:
    one = act.candidate
    return PromotionResult(
        act.kind,
        one.release if one else None,
        act.standing,
        act.before,
        act.waived,
        dict(one.fingerprints) if one else {},
        version,
    )
