"""The data profile's charts: PNG data addresses for every source, nothing where there is nothing."""

from __future__ import annotations

import base64

import pytest

from radia_pipeline.contracts.tables import empty
from radia_pipeline.defs.profile_plots import profile_plots
from radia_pipeline.lake.lake import Lake


def row(measure: str, source: str, value: float, name: str | None = None, other: str | None = None) -> dict:
    return {"measure": measure, "source": source, "class": name, "other": other, "value": value, "count": 3}


@pytest.fixture
def lake(tmp_path) -> Lake:
    return Lake.open(tmp_path / "lake")


def test_each_chart_is_a_picture_and_each_source_has_its_correlations(lake):
    rows = [row("correlation", "nih_cxr14", 0.4, "Edema", "Mass"), row("positives", "nih_cxr14", 0.2, "Edema")]
    rows += [row("images", source, 1.0) for source in ("nih_cxr14", "padchest")]
    rows += [
        row("labels_per_image", "padchest", 1.0, other="00"),
        row("images_per_patient", "padchest", 1.0, other="01"),
    ]
    lake.write("data_profile", rows)
    charts = profile_plots(lake, "all")
    assert {"prevalence", "labels_per_image", "images_per_patient", "correlation_padchest"} <= set(charts)
    for chart in charts.values():
        assert base64.b64decode(chart.removeprefix("data:image/png;base64,")).startswith(b"\x89PNG")


def test_an_empty_profile_has_no_charts(lake):
    lake.write("data_profile", empty("data_profile"))
    assert profile_plots(lake, "all") == {}
