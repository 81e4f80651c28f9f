"""Assets that a person asks for: the gate's verdicts and the champion.

Not here: what the gate asks (``evaluation.gate``), what an approval does (``usecases.promotion``), the runs by which a
terminal asks for them (``promotion``).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import dagster as dg

from radia_pipeline.defs.resources import Radia
from radia_pipeline.defs.tables import MadeWhen, Note, table_assets
from radia_pipeline.defs.tracked_figures import follow_champion
from radia_pipeline.errors import BadInput
from radia_pipeline.evaluation.gate_words import REFUSED, WORDS
from radia_pipeline.lake.lake import Lake

STEP, PAGE = "approve_champion", "champion.html"
TOLD = {
    "by": dg.Field(str, default_value="", description="Who approves or rolls back; stands in the history for ever."),
    "reason": dg.Field(str, default_value="", description="Why; stands there too."),
    "research": dg.Field(bool, default_value=False, description="For research: without a truth of the hospital."),
    "stated_shift": dg.Field(str, default_value="", description="What is known of a calibration that is off."),
    "rollback": dg.Field(bool, default_value=False, description="Put the champion before back instead."),
}
"""What a person says to ``champion``."""


def champion_assets(recipes: tuple[str, ...]) -> list[dg.AssetsDefinition]:
    """Return ``gate_verdicts`` and ``champion``."""
    predictions = tuple(dg.AssetKey(["predictions", recipe]) for recipe in recipes)

    @table_assets(
        "gate_verdicts",
        deps=(
            *predictions,
            "ensemble",
            "test_predictions",
            "label_truth",
            "reading_sets",
            "images",
            "labels",
            "report_attributes",
            "splits",
        ),
        notes={rule: _note(rule) for rule in WORDS},
        note_words=WORDS,
        made=MadeWhen.ASKED_FOR,
    )
    def judge_challenger(context: dg.AssetExecutionContext, radia: Radia) -> object:
        """What the gate says of the released ensemble beside the champion; one check for each rule."""
        from radia_pipeline.evaluation.gate import judge
        from radia_pipeline.usecases.champion_text import gate_found

        judge(radia.lake())
        write_pages(radia.lake())
        return {**gate_found(radia.lake()), "page": dg.MetadataValue.path(PAGE)}

    @table_assets("champion", deps=("gate_verdicts", "ensemble"), made=MadeWhen.ASKED_FOR, config=TOLD)
    def approve_champion(context: dg.AssetExecutionContext, radia: Radia) -> object:
        """The ensemble that a person approves, with name and reason in the configuration of the run; or the one before,
        by a rollback. Select gate_verdicts with it: an approval needs verdicts on what stands now."""
        if context.run.parent_run_id is not None:
            raise BadInput(
                "A run that is executed again approves nothing: who acts, and why, belongs to one act",
                do="start a run with by and reason of its own",
            )
        return _act(radia.lake(), context.op_execution_context.op_config)

    return [judge_challenger, approve_champion]


def _act(lake: Lake, told: Mapping[str, Any]) -> dict[str, Any]:
    from radia_pipeline.evaluation.champion import Signature
    from radia_pipeline.usecases.promotion import Approval, approve, roll_back

    signature = Signature(told["by"], told["reason"])
    try:
        if told["rollback"]:
            result = roll_back(lake, signature)
        else:
            result = approve(lake, Approval(signature, told["research"], told["stated_shift"].strip() or None))
    finally:
        write_pages(lake)  # a refusal stands there too
    return {**vars(result), "mlflow_models": follow_champion(lake), "page": dg.MetadataValue.path(PAGE)}


def write_pages(lake: Lake) -> None:
    """Write the pages of evaluation."""
    from radia_pipeline.pages.evaluation import write_evaluation_pages

    write_evaluation_pages(lake)


def _note(rule: str) -> Note:
    """Say of the gate's verdicts what one rule came to: what refuses in words, all numbers."""
    numbers = (
        "subject",
        "outcome",
        "value",
        "low",
        "high",
        "bound",
        "challenger_value",
        "champion_value",
        "positives",
        "studies",
    )

    def note(result: Mapping[str, Any]) -> tuple[bool, Mapping[str, Any]]:
        mine = [row for row in result["verdicts"] if row["rule"] == rule]
        outcomes = [row["outcome"] for row in mine]
        counts = {name: outcomes.count(name) for name in dict.fromkeys(outcomes)}
        told = [f"{row['subject']}: {row['detail']}" for row in mine if row["outcome"] == REFUSED or len(mine) == 1]
        shown = [{name: row[name] for name in numbers} for row in mine]
        return REFUSED not in outcomes, {
            **counts,
            "verdict": "; ".join(told) or "nothing refuses",
            "numbers": dg.MetadataValue.json(shown),
        }

    return note
