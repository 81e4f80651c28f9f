"""Charts of the data profile for asset metadata: the original's figures 4 to 7, from the table ``data_profile``."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from radia_pipeline.contracts.vocabulary import vocabulary
from radia_pipeline.defs.plots import COLOURS, INK, chart
from radia_pipeline.lake.lake import Lake

Rows = dict[tuple, dict]
_MORE_COLOURS = (*COLOURS, "#868e96")


def profile_plots(lake: Lake, partition: str) -> dict[str, str]:
    """Prevalence, correlations, labels per image, images per patient and uncertainty, sources side by side."""
    table = lake.read("data_profile", partition).to_pylist()
    rows = {(row["measure"], row["source"], row["class"], row["other"]): row for row in table}
    sources = sorted({row["source"] for row in table if row["measure"] == "images"})
    if not sources:
        return {}
    return {
        "prevalence": chart(_by_class(rows, sources, "positives", "positive images, %"), height=6.4),
        "uncertain_to_positive": chart(
            _by_class(rows, sources, "uncertain_to_positive", "uncertain for each 100 positive"), height=6.4
        ),
        "labels_per_image": chart(_distribution(rows, sources, "labels_per_image", "pathologies of an image")),
        "images_per_patient": chart(_distribution(rows, sources, "images_per_patient", "images of a patient")),
        **{f"correlation_{source}": chart(_correlation(rows, source), height=6.4) for source in sources},
    }


def _by_class(rows: Rows, sources: list[str], measure: str, unit: str) -> Callable:
    """Return a painter of one dot for each source and class."""
    classes = vocabulary().classes

    def draw(axes) -> None:
        for source, colour in zip(sources, _MORE_COLOURS):
            found = [(place, rows.get((measure, source, name, None))) for place, name in enumerate(classes)]
            points = [(100 * row["value"], len(classes) - 1 - place) for place, row in found if row and row["value"]]
            if points:
                axes.scatter(*zip(*points), color=colour, label=source, s=26)
        axes.set_yticks(range(len(classes)), classes[::-1])
        axes.set_xlabel(unit, color=INK, fontsize=8)
        axes.set_xlim(left=0)
        axes.set_axisbelow(True)
        axes.grid(color="#e4e7eb", linewidth=0.6)
        if axes.collections:
            axes.legend(frameon=False, fontsize=8, ncols=len(sources), loc="lower center", bbox_to_anchor=(0.5, 1.0))

    return draw


def _distribution(rows: Rows, sources: list[str], measure: str, unit: str) -> Callable:
    """Return a painter of grouped bars: the share of each count in each source."""
    bins = sorted({key[3] for key in rows if key[0] == measure})

    def draw(axes) -> None:
        width = 0.85 / len(sources)
        for place, (source, colour) in enumerate(zip(sources, _MORE_COLOURS)):
            shares = [100 * (rows.get((measure, source, None, name)) or {"value": 0})["value"] for name in bins]
            axes.bar(np.arange(len(bins)) + place * width, shares, width, color=colour, label=source)
        axes.set_xticks(np.arange(len(bins)) + 0.85 / 2 - width / 2, [str(int(name)) for name in bins])
        axes.set_xlabel(unit, color=INK, fontsize=8)
        axes.set_ylabel("%", color=INK, fontsize=8)
        axes.legend(frameon=False, fontsize=8)

    return draw


def _correlation(rows: Rows, source: str) -> Callable:
    """Return a painter of one source's correlation matrix; classes that never vary stay white."""
    classes = vocabulary().classes
    matrix = np.full((len(classes), len(classes)), np.nan)
    for (measure, where, one, other), row in rows.items():
        if measure == "correlation" and where == source:
            i, j = classes.index(one), classes.index(other)
            matrix[i, j] = matrix[j, i] = row["value"]

    def draw(axes) -> None:
        image = axes.imshow(matrix, cmap="RdBu_r", vmin=-1, vmax=1)
        axes.set_xticks(range(len(classes)), classes, rotation=60, ha="right", rotation_mode="anchor")
        axes.set_yticks(range(len(classes)), classes)
        axes.figure.colorbar(image, ax=axes, shrink=0.7)
        axes.set_title(f"{source}: correlation over images, uncertain as positive", color=INK, fontsize=9)

    return draw
