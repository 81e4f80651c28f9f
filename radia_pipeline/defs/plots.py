"""Charts beside assets: SVG data addresses of figures, never pixels of patients. No figure is computed here.

Each function takes the lake and a partition and returns charts by name. The charts of the data profile are those of its
page. What does not belong here: how a chart is drawn (``drawing``).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from radia_pipeline.contracts.label_values import NEGATIVE, POSITIVE, UNCERTAIN
from radia_pipeline.contracts.vocabulary import vocabulary
from radia_pipeline.drawing.charts import Interval, intervals, stacked_bars
from radia_pipeline.drawing.grid import grid
from radia_pipeline.drawing.marks import Guide, Line
from radia_pipeline.drawing.plot import Axis, plot
from radia_pipeline.lake.lake import Lake

if TYPE_CHECKING:
    import pandas as pd

TRAINING_PX = (330, 200)


def reasons_plot(lake: Lake, partition: str) -> dict[str, str]:
    """Where the delivered files ended."""
    counts = {"ingested": {"files": lake.read("images", partition, ["image_id"]).num_rows}}
    kinds = Counter(lake.read("duplicates", partition, ["kind"])["kind"].to_pylist())
    reasons = Counter(lake.read("quarantine", partition, ["reason"])["reason"].to_pylist())
    counts |= {f"duplicate: {kind}": {"files": count} for kind, count in sorted(kinds.items())}
    counts |= {f"quarantine: {reason}": {"files": count} for reason, count in reasons.most_common()}
    return {"where_files_ended": stacked_bars(counts, title="Where the delivered files ended", unit="files").address()}


def labels_plot(lake: Lake, partition: str) -> dict[str, str]:
    """Positive, uncertain and negative studies of each class."""
    from radia_pipeline.pages.data_profile_figures import VALUE_ROLES

    names = {POSITIVE: "positive", UNCERTAIN: "uncertain", NEGATIVE: "negative"}
    roles = dict(zip(names.values(), VALUE_ROLES.values()))
    labels = lake.frame("labels", partition, ["class", "value"]).dropna()
    counts = labels.groupby(["class", "value"]).size().unstack(fill_value=0)
    counts = counts.reindex(vocabulary().classes, fill_value=0).reindex(columns=list(names), fill_value=0)
    rows = _rows(counts.rename(columns=names))
    chart = stacked_bars(rows, title="Studies of each class by label", unit="studies labelled", roles=roles)
    return {"labels_by_class": chart.address()}


def pools_plot(lake: Lake, partition: str) -> dict[str, str]:
    """Patients of each source in each pool."""
    from radia_pipeline.pages.data_profile_figures import POOL_ROLES
    from radia_pipeline.usecases.summary import pool_counts

    chart = stacked_bars(pool_counts(lake), title="Patients of each source by pool", unit="patients", roles=POOL_ROLES)
    return {"patients_by_pool": chart.address()}


def scorecard_plots(lake: Lake, partition: str) -> dict[str, str]:
    """AUC of the ensemble with its interval, on test where it was released, else on validation."""
    from radia_pipeline.evaluation.scorecard import shown_pool

    rows = lake.read("scorecard", partition).to_pylist()
    pool = shown_pool(rows)
    place = {"model": "ensemble", "source": "all", "pool": pool, "view": "pool", "metric": "auc"}
    found = {
        row["class"]: row
        for row in rows
        if row["value"] is not None and all(row[name] == value for name, value in place.items())
    }
    if not found:
        return {}
    order = [
        *(name for name in vocabulary().classes if name in found),
        *sorted(found.keys() - set(vocabulary().classes)),
    ]
    rows = [_interval(f"{name.replace('_', ' of ')} ({found[name]['positives']:,})", found[name]) for name in order]
    title = f"AUC of the ensemble on {pool} (positive studies in brackets)"
    return {
        "auc_by_class": intervals(rows, title=title, unit="AUC, 95 % interval; dotted: chance", guide=0.5).address()
    }


def queue_plot(lake: Lake, partition: str) -> dict[str, str]:
    """Queued labels of each class, by what they say."""
    queued = lake.frame("label_review_queue", partition, ["class", "label"])
    if queued.empty:
        return {}
    counts = queued.groupby(["class", "label"]).size().unstack(fill_value=0).reindex(columns=[1, 0], fill_value=0)
    counts = counts.reindex([name for name in vocabulary().classes if name in counts.index])
    rows = _rows(counts.rename(columns={1: "says present", 0: "says absent"}))
    roles = {"says present": "s0", "says absent": "muted"}
    chart = stacked_bars(rows, title="Labels to read again, by class", unit="labels queued", roles=roles)
    return {"queue_by_class": chart.address()}


def saliency_plot(lake: Lake, partition: str) -> dict[str, str]:
    """Mean mAP of each saliency method and control."""
    from radia_pipeline.localisation.controls import is_control, shown_name
    from radia_pipeline.usecases.summary import localisation_figures

    means = localisation_figures(lake, "saliency_benchmark")
    if not means:
        return {}
    rows = [
        _interval(f"{row['recipe']}: {shown_name(row['method'])}", row, "muted" if is_control(row["method"]) else "s0")
        for row in means
    ]
    title = "Saliency methods against radiologists' boxes on validation"
    return {
        "map_by_method": intervals(rows, title=title, unit="mAP@.3, 95 % interval; grey: controls", low=0).address()
    }


def _interval(name: str, row: dict[str, Any], role: str = "s0") -> Interval:
    return Interval(name, row["value"], row["low"], row["high"], role)


def profile_plots(lake: Lake, partition: str) -> dict[str, str]:
    """Prevalence, correlations, labels per image, images per patient and uncertainty, sources side by side."""
    from radia_pipeline.pages.data_profile_figures import Figures, by_class, correlation_map, side_by_side

    found = Figures(lake.read("data_profile", partition).to_pylist())
    if not found.sources:
        return {}
    images = "Images by number of pathologies, positive or uncertain"
    ratio, unit = "Uncertain images for each hundred positive, as sources say it", "uncertain for each 100 positive"
    charts = {
        "prevalence": by_class(found, "positives", "Positive images of each class", "positive images, %"),
        "uncertain_to_positive": by_class(found, "uncertain_to_positive", ratio, unit),
        "labels_per_image": side_by_side(found, "labels_per_image", images, "pathologies of an image", "images, %"),
        "images_per_patient": side_by_side(
            found, "images_per_patient", "Patients by number of images", "images of a patient", "patients, %"
        ),
        **{f"correlation_{source}": correlation_map(found, source) for source in found.sources},
    }
    return {name: chart.address() for name, chart in charts.items()}


CLASSIFIER_FIGURES = {"auc": ("s0", "AUC"), "f1": ("s1", "F1")}
DETECTOR_FIGURES = {"ap30": ("s0", "AP at IoU .3"), "agnostic_ap30": ("s1", "whatever the class")}


def training_curves(
    history: Sequence[dict[str, Any]],
    best_epoch: int,
    figures: Mapping[str, tuple[str, str]] = MappingProxyType(CLASSIFIER_FIGURES),
) -> str:
    """Return losses, and beside them validation's figures, by epoch; a dotted line marks the epoch that was kept.

    ``figures``: name in the history -> role of its line and what it is called. One that an epoch lacks is not drawn.
    """
    epochs = [line["epoch"] + 1 for line in history]

    def lines(names: dict[str, tuple[str, str]], y: Axis, title: str) -> Any:
        marks = [
            Line(epochs, [line[name] for line in history], role, shown, is_marked=True)
            for name, (role, shown) in names.items()
            if all(line.get(name) is not None for line in history)
        ]
        kept = Guide(x=best_epoch + 1, name="epoch kept")
        return plot([*marks, kept], title=title, x=Axis("epoch", is_whole=True), y=y, size=TRAINING_PX)

    losses = lines({"train_loss": ("muted", "training"), "loss": ("s0", "validation")}, Axis("loss"), "Loss")
    means = lines(dict(figures), Axis("mean over classes", low=0, high=1), "Figures on validation")
    return grid([losses, means], title="Training by epoch").address()


def _rows(counts: pd.DataFrame) -> dict[str, dict[str, int]]:
    """Return a table of counts by row and column."""
    return {str(name): {str(column): int(n) for column, n in row.items()} for name, row in counts.iterrows()}
