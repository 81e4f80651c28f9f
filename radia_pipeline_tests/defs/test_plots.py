"""Charts beside assets: SVG data addresses with a title, figures of the table, nothing where there is nothing."""

from __future__ import annotations

import base64
from xml.etree import ElementTree

import pytest

from radia_pipeline.contracts.tables import empty
from radia_pipeline.defs import plots
from radia_pipeline.lake.lake import Lake

SPACE = "{http://www.w3.org/2000/svg}"


def opened(address: str) -> tuple[str, list[str]]:
    """Return a chart's title and all its words."""
    head, body = address.split(",")
    assert head == "data:image/svg+xml;base64"
    root = ElementTree.fromstring(base64.b64decode(body))
    assert not list(root.iter(f"{SPACE}image"))
    return root.get("aria-label"), [node.text for node in root.iter(f"{SPACE}text")]


def row(measure: str, source: str, value: float, name: str | None = None, other: str | None = None) -> dict:
    return {"measure": measure, "source": source, "class": name, "other": other, "value": value, "count": 3}


@pytest.fixture
def lake(tmp_path) -> Lake:
    return Lake.open(tmp_path / "lake")


def test_each_chart_of_the_profile_is_a_picture_and_each_source_has_its_correlations(lake):
    rows = [row("correlation", "nih_cxr14", 0.4, "Edema", "Mass"), row("positives", "nih_cxr14", 0.2, "Edema")]
    rows += [row("images", source, 1.0) for source in ("nih_cxr14", "padchest")]
    rows += [
        row("labels_per_image", "padchest", 1.0, other="00"),
        row("images_per_patient", "padchest", 1.0, other="01"),
    ]
    lake.write("data_profile", rows)
    charts = plots.profile_plots(lake, "all")
    assert list(charts) == [
        "prevalence",
        "uncertain_to_positive",
        "labels_per_image",
        "images_per_patient",
        "correlation_nih_cxr14",
        "correlation_padchest",
    ]
    for chart in charts.values():
        title, words = opened(chart)
        assert title
        assert words
    assert {"Edema", "nih_cxr14", "padchest"} <= set(opened(charts["prevalence"])[1])
    assert "no figures" in opened(charts["uncertain_to_positive"])[1]


def test_an_empty_profile_has_no_charts(lake):
    lake.write("data_profile", empty("data_profile"))
    assert plots.profile_plots(lake, "all") == {}


def test_labels_are_counted_by_class_and_blank_ones_are_not(lake):
    values = [1] * 20 + [-1, 0, 0, None]
    common = {"source": "padchest", "class": "Edema"}
    rows = [
        {
            **common,
            "study_id": f"{n:032x}",
            "patient_key": f"{n:032x}",
            "said": value,
            "value": value,
            "origin": "none" if value is None else "table",
        }
        for n, value in enumerate(values)
    ]
    lake.write("labels", rows, "padchest")
    (chart,) = plots.labels_plot(lake, "padchest").values()
    assert {"positive", "uncertain", "negative", "Edema", "23"} <= set(opened(chart)[1])


def test_training_curves_show_losses_beside_figures_and_the_epoch_kept():
    history = [{"epoch": n, "train_loss": 1.0, "loss": 1.1, "auc": 0.7, "f1": 0.4} for n in range(3)]
    title, words = opened(plots.training_curves(history, best_epoch=1))
    assert title == "Training by epoch"
    assert {"Loss", "Figures on validation", "AUC", "F1", "epoch kept"} <= set(words)
    assert opened(plots.training_curves(history[:1], best_epoch=0))


def test_intervals_name_controls_in_words_and_positives_in_brackets(lake):
    judged = {
        "class": "mean",
        "metric": "map@0.3",
        "recipe": "r",
        "value": 0.5,
        "low": 0.4,
        "high": 0.6,
        "boxes": 9,
        "images": 5,
    }
    lake.write("saliency_benchmark", [{**judged, "method": "pcam"}, {**judged, "method": "random"}])
    (chart,) = plots.saliency_plot(lake, "all").values()
    assert {"r: pcam", "r: control: random place"} <= set(opened(chart)[1])
    lake.write("saliency_benchmark", empty("saliency_benchmark"))
    assert plots.saliency_plot(lake, "all") == {}
