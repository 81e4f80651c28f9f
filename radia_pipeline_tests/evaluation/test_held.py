"""Held splits are judged apart: no figure of a pool moves by them, and each model has figures on them."""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest

from radia_pipeline.evaluation.ensemble import build_ensemble
from radia_pipeline.evaluation.panel import panel_of, read_panel, rows_of
from radia_pipeline.evaluation.pool_uses import uses
from radia_pipeline.evaluation.release import Release, release, released_panels
from radia_pipeline.evaluation.scorecard import build_scorecard
from radia_pipeline.lake.lake import Lake
from radia_pipeline.pages.comparison import write_comparison_page
from radia_pipeline_tests.evaluation.worlds import copy_of, make_lake, make_panel, on_test
from radia_pipeline_tests.pages.outline import outline

SKILLS = {"one": 1.0, "two": 2.0}


@pytest.fixture(scope="module")
def made(tmp_path_factory) -> Lake:
    """A lake with an ensemble that was judged."""
    lake = make_lake(tmp_path_factory.mktemp("made") / "lake", SKILLS)
    build_ensemble(lake, list(SKILLS))
    build_scorecard(lake)
    return lake


@pytest.fixture
def lake(made, tmp_path) -> Lake:
    return copy_of(made, tmp_path / "lake")


def held_rows(skill: float, number: int, pool: str) -> pa.Table:
    """Return rows of further studies, of a held split."""
    panel = make_panel(skill, studies=60, noise_seed=number, seed=77)
    study = np.array([value[::-1] for value in panel.study_id], dtype=object)
    group = np.array([value[::-1] for value in panel.group_id], dtype=object)
    parts = {"pool": np.full(60, pool, dtype=object), "is_held": np.ones(60, dtype=bool)}
    return rows_of(replace(panel, study_id=study, group_id=group, patient_key=group, **parts), "x")


def named(table: pa.Table, name: str) -> pa.Table:
    column = table.schema.get_field_index("recipe")
    return table.set_column(column, "recipe", pa.array([name] * len(table), pa.string()))


def test_held_studies_have_a_view_of_their_own_and_move_no_figure_of_the_pool(lake):
    before = {key(row): row["value"] for row in lake.read("scorecard").to_pylist()}
    assert "held" not in {view for _, _, _, view, *_ in before}
    for number, (name, skill) in enumerate(SKILLS.items(), start=1):
        pool = lake.read("predictions", name)
        apart = named(held_rows(skill, number, "validation"), name).cast(pool.schema)
        lake.write("predictions", pa.concat_tables([pool, apart]), name)
    assert not read_panel(lake, "one").is_held.any()
    build_ensemble(lake, list(SKILLS))
    build_scorecard(lake)
    after = {key(row): row for row in lake.read("scorecard").to_pylist()}
    assert {place: row["value"] for place, row in after.items() if place[3] != "held"} == before
    seen = {(model, source) for model, source, _, view, *_ in after if view == "held"}
    assert seen == {(model, source) for model in ("one", "two", "ensemble") for source in ("ccsmtl", "nih_cxr14")}
    assert after["two", "ccsmtl", "validation", "held", "Cardiomegaly", "auc"]["value"] is not None


def test_figures_beside_the_original_are_those_of_what_experts_read(lake, tmp_path):
    page = tmp_path / "comparison.html"
    assert "holds no published split that radiologists read" in text_of(write_comparison_page(lake, page))
    for number, (name, skill) in enumerate(SKILLS.items(), start=1):
        apart = held_rows(skill, number, "validation")
        column = apart.schema.get_field_index("source")
        apart = apart.set_column(column, "source", pa.array(["chexpert"] * len(apart), pa.string()))
        pool = lake.read("predictions", name)
        lake.write("predictions", pa.concat_tables([pool, named(apart, name).cast(pool.schema)]), name)
    build_ensemble(lake, list(SKILLS))
    build_scorecard(lake)
    held = {
        row["class"]: row
        for row in lake.read("scorecard").to_pylist()
        if (row["model"], row["view"], row["metric"]) == ("ensemble", "held", "auc")
    }
    said = text_of(write_comparison_page(lake, page))
    assert "CheXpert v1.0 (full size and small), held in validation" in said
    row = held["Cardiomegaly"]
    shown = rf"Cardiomegaly [^A-Za-z]*{row['value']:.2f} [^A-Za-z]*{row['positives']} / {row['studies']} "
    assert len(re.findall(shown, said)) == 3  # read by experts, table 6, CheXpert's authors and radiologists
    assert "read by experts in validation, other patients than the printed figures'" in said


def text_of(page) -> str:
    return " ".join(" ".join(outline(page.read_text(encoding="utf-8")).text).split())


def key(row: dict) -> tuple:
    return tuple(row[name] for name in ("model", "source", "pool", "view", "class", "metric"))


def test_a_release_scores_held_studies_once_and_the_ledger_counts_them(lake):
    scorer = on_test(SKILLS)
    apart = held_rows(1.0, 9, "test")

    def score(lake, recipe):
        return pa.concat_tables([scorer(lake, recipe), named(apart, recipe)])

    studies = [*panel_of(scorer(lake, "one")).study_id, *panel_of(apart).study_id]
    held = set(panel_of(apart).study_id)
    put_manifest(lake, studies, held)
    release(lake, Release("who", "why"), score)
    assert uses(lake)[-1].studies == len(studies)
    assert not any(panel.is_held.any() for panel in released_panels(lake).values())
    assert {len(panel) for panel in released_panels(lake, held=True).values()} == {60}
    build_scorecard(lake)
    views = {(row["pool"], row["view"]) for row in lake.read("scorecard").to_pylist()}
    assert {("test", "held"), ("test", "pool")} <= views


def put_manifest(lake, studies, held) -> None:
    """Put every study into the manifest, those of a held split excluded as such."""
    rows = [
        {
            "source": "ccsmtl",
            "image_id": study,
            "study_id": study,
            "patient_key": study,
            "group_id": study,
            "path": "x",
            "view": "PA",
            "width_px": 1,
            "height_px": 1,
            "pool": "test",
            "fold": None,
            "weight": 1.0,
            "excluded": "held" if study in held else None,
            "boxes": [],
        }
        for study in studies
    ]
    lake.write("manifest", rows, "ccsmtl")
