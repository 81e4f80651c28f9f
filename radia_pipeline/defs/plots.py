"""Charts of figures for asset metadata: PNG data addresses, never pixels of patients. No figure is computed here.

Each function takes the lake and a partition and returns charts by name.
"""

from __future__ import annotations

import base64
import io
from collections import Counter
from collections.abc import Callable, Mapping

from radia_pipeline.contracts.pools import POOLS, TEST
from radia_pipeline.contracts.vocabulary import vocabulary
from radia_pipeline.lake.lake import Lake

INK, MUTED = "#1f2933", "#9aa5b1"
COLOURS = ("#0b7285", "#e8590c", "#5f3dc4", "#2b8a3e", "#c2255c")


def chart(draw: Callable, *, width: float = 8.0, height: float = 4.0) -> str:
    """Return a PNG data address of what ``draw(axes)`` paints."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained", facecolor="white")
    FigureCanvasAgg(figure)
    axes = figure.subplots()
    draw(axes)
    axes.spines[["top", "right"]].set_visible(False)
    axes.tick_params(colors=INK, labelsize=8)
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=110)
    return "data:image/png;base64," + base64.b64encode(buffer.getvalue()).decode()


def _stacked(rows: Mapping[str, Mapping[str, int]], *, unit: str) -> Callable:
    """Return a painter of horizontal stacked bars: row name -> part name -> count."""

    def draw(axes) -> None:
        names = list(rows)[::-1]
        parts = list(dict.fromkeys(part for counts in rows.values() for part in counts))
        left = [0] * len(names)
        for part, colour in zip(parts, COLOURS, strict=False):
            widths = [rows[name].get(part, 0) for name in names]
            axes.barh(names, widths, left=left, color=colour, label=part, height=0.7)
            left = [a + b for a, b in zip(left, widths, strict=True)]
        axes.set_xlabel(unit, color=INK, fontsize=8)
        if parts:
            axes.legend(frameon=False, fontsize=8, ncols=len(parts), loc="lower center", bbox_to_anchor=(0.5, 1.0))

    return draw


def reasons_plot(lake: Lake, partition: str) -> dict[str, str]:
    """Where the delivered files ended."""
    counts: dict[str, dict[str, int]] = {"ingested": {"files": lake.read("images", partition, ["image_id"]).num_rows}}
    kinds = Counter(lake.read("duplicates", partition, ["kind"])["kind"].to_pylist())
    reasons = Counter(lake.read("quarantine", partition, ["reason"])["reason"].to_pylist())
    counts |= {f"duplicate: {kind}": {"files": count} for kind, count in sorted(kinds.items())}
    counts |= {f"quarantine: {reason}": {"files": count} for reason, count in reasons.most_common()}
    return {"where_files_ended": chart(_stacked(counts, unit="files"), height=1.2 + 0.25 * len(counts))}


def labels_plot(lake: Lake, partition: str) -> dict[str, str]:
    """Positive, uncertain and negative studies of each class."""
    table = lake.read("labels", partition, ["class", "value"])
    names = {1: "positive", -1: "uncertain", 0: "negative"}
    rows: dict[str, dict[str, int]] = {name: dict.fromkeys(names.values(), 0) for name in vocabulary().classes}
    for name, value in zip(table["class"].to_pylist(), table["value"].to_pylist(), strict=True):
        if value is not None:
            rows[name][names[value]] += 1
    return {"labels_by_class": chart(_stacked(rows, unit="studies"), height=5.2)}


def pools_plot(lake: Lake, partition: str) -> dict[str, str]:
    """Patients of each source in each pool."""
    table = lake.read("splits", partition, ["source", "pool"])
    rows: dict[str, dict[str, int]] = {}
    for source, pool in zip(table["source"].to_pylist(), table["pool"].to_pylist(), strict=True):
        counts = rows.setdefault(source, dict.fromkeys(POOLS, 0))
        counts[pool] += 1
    return {"patients_by_pool": chart(_stacked(rows, unit="patients"), height=1.2 + 0.5 * len(rows))}


def _intervals(rows: list[dict], *, unit: str) -> Callable:
    """Return a painter of points with intervals, one row a name."""

    def draw(axes) -> None:
        for position, row in enumerate(rows[::-1]):
            if row["value"] is None:
                continue
            if row["low"] is not None and row["high"] is not None:
                axes.plot([row["low"], row["high"]], [position, position], color=MUTED, linewidth=3, zorder=1)
            axes.scatter([row["value"]], [position], color=COLOURS[0], zorder=2, s=22)
        axes.set_yticks(range(len(rows)), [row["name"] for row in rows[::-1]])
        axes.set_xlabel(unit, color=INK, fontsize=8)
        axes.grid(axis="x", color="#e4e7eb", linewidth=0.6)

    return draw


def scorecard_plots(lake: Lake, partition: str) -> dict[str, str]:
    """AUC of the ensemble on the test pool with its interval."""
    rows = [
        {**row, "name": f"{row['class']} ({row['positives']})"}
        for row in lake.read("scorecard", partition).to_pylist()
        if (row["model"], row["source"], row["pool"], row["view"], row["metric"])
        == ("ensemble", "all", TEST, "pool", "auc")
    ]
    if not rows:
        return {}
    painter = _intervals(rows, unit="AUC on the test pool, 95 % interval (positives in brackets)")
    return {"test_auc": chart(painter, height=1 + 0.24 * len(rows))}


def saliency_plot(lake: Lake, partition: str) -> dict[str, str]:
    """Mean mAP of each saliency method and control."""
    table = lake.read("saliency_benchmark", partition).to_pylist()
    metrics = [row["metric"] for row in table if row["class"] == "mean"]
    if not metrics:
        return {}
    wanted = "map@0.3" if "map@0.3" in metrics else metrics[0]
    rows = [
        {**row, "name": f"{row['recipe']}: {row['method']}"}
        for row in table
        if row["class"] == "mean" and row["metric"] == wanted
    ]
    return {"map_by_method": chart(_intervals(rows, unit=f"{wanted}, 95 % interval"), height=1 + 0.26 * len(rows))}


def training_curves(history: list[dict], best_epoch: int) -> str:
    """Training loss (left axis) and validation AUC and F1 (right axis) by epoch; the kept epoch is marked."""

    def draw(axes) -> None:
        epochs = [line["epoch"] + 1 for line in history]
        axes.plot(epochs, [line["train_loss"] for line in history], color=MUTED, label="training loss", marker=".")
        axes.plot(epochs, [line["loss"] for line in history], color=INK, label="validation loss", marker=".")
        axes.set_xlabel("epoch", color=INK, fontsize=8)
        axes.xaxis.get_major_locator().set_params(integer=True)
        axes.set_ylabel("loss", color=INK, fontsize=8)
        right = axes.twinx()
        for name, colour in zip(("auc", "f1"), COLOURS, strict=False):
            label = f"validation mean {name.upper()}"
            right.plot(epochs, [line[name] for line in history], color=colour, label=label, marker=".")
        right.axvline(best_epoch + 1, color=MUTED, linestyle=":", linewidth=1)
        right.set_ylim(0, 1)
        right.tick_params(colors=INK, labelsize=8)
        right.spines["top"].set_visible(False)
        handles = [axis.get_legend_handles_labels() for axis in (axes, right)]
        axes.legend(
            handles[0][0] + handles[1][0], handles[0][1] + handles[1][1], frameon=False, fontsize=8, ncols=4,
            loc="lower center", bbox_to_anchor=(0.5, 1.0),
        )  # fmt: skip

    return chart(draw)
