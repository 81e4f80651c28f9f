"""What a lake does by itself, in words: what each sensor and schedule does and what it costs.

The page, `radia automation` and the docs take their words from here.
"""

from __future__ import annotations

from typing import NamedTuple


class Words(NamedTuple):
    """``does``: in one sentence; ``costs``: what it takes when there is something to do."""

    does: str
    costs: str


AUTOMATED = {
    "new_deliveries": Words(
        "Ingests a source once what lies in its folder has changed and then been the same for the quiet time.",
        "CPU for each new file; looking lists the folder once a minute",
    ),
    "new_readings": Words(
        "Makes truth and review queue anew once readings came and nobody has read for the quiet time.",
        "seconds of CPU",
    ),
    "new_challenger": Words(
        "Asks the gate about a released ensemble that it has not judged; nobody is promoted by it.",
        "minutes of CPU, or of the GPU",
    ),
    "drift_retraining": Words(
        "Retrains where the newest drift report freezes promotions or proposes a rollback; nobody is promoted by it.",
        "hours of GPU, within the budget of the lake's settings",
    ),
    "labels_follow": Words(
        "Makes mentions, labels and boxes of a source anew when its reports or images have.",
        "CPU for each report of the source",
    ),
    "notices": Words(
        "Tells a webhook or a mail relay what failed, who is silent, what waits for a person; each once.", "nothing"
    ),
    "freshness_daily": Words(
        "Asks of each source whether it has delivered lately; a silent one is a warning.", "nothing"
    ),
    "drift_daily": Words(
        "Makes the day's drift report.", "a look at each new film that the protocol samples, minutes of CPU"
    ),
    "backup_nightly": Words(
        "Backs up the lake with its history to the place that its settings name.",
        "a read of what is new, and a pause of the lake of seconds; disk for what is new",
    ),
    "collection_weekly": Words(
        "Deletes versions of tables that are older than `keep_versions_days` and that no model and no champion needs.",
        "nothing",
    ),
    "runs_weekly": Words(
        "Deletes Dagster's runs that ended `keep_runs_days` ago, but for those that made what is newest.",
        "a minute of CPU",
    ),
    "events_weekly": Words(
        "Deletes what runs said while they worked `keep_events_days` ago; what came of them stays.", "a minute of CPU"
    ),
    "trainings_weekly": Words(
        "Deletes MLflow's runs that ended `keep_trainings_days` ago and that no champion, model or table needs.",
        "a minute of CPU",
    ),
    "packed_weekly": Words(
        "Deletes packed images that no training has asked for in `keep_packed_days`; they are made again when wanted.",
        "nothing, until they are wanted again",
    ),
    "manifests_nightly": Words(
        "Makes labels, links, pools and manifests anew, as far as something has changed.",
        "CPU for each label and image; pairs of near-duplicates grow faster than the images",
    ),
    "evaluation_weekly": Words(
        "Makes predictions, ensemble and scorecard anew, as far as something has changed.",
        "a pass over the validation pool for each recipe, minutes on a GPU",
    ),
    "retraining_monthly": Words(
        "Trains the champion's recipes on today's manifests, up to the gate's verdict; a person decides what follows.",
        "hours of GPU, within the budget of the lake's settings",
    ),
    "upkeep_schedule": Words("Ends MLflow runs whose process is gone.", "nothing"),
}
