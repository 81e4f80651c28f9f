"""A challenger in the champion's shadow: which films both look at, how often, and in whom they differ."""

from __future__ import annotations

import json
from types import SimpleNamespace

import numpy as np
import pytest

from radia_pipeline.contracts.vocabulary import vocabulary
from radia_pipeline.monitoring import shadow
from radia_pipeline.monitoring.differing import DELIVERY, LEAST_STUDIES, differences, shadowed
from radia_pipeline.monitoring.protocol import protocol
from radia_pipeline.monitoring.shadow import pair_of, score_in_shadow
from radia_pipeline.monitoring.shadow_report import compare_in_shadow, read_differences, summed_up
from radia_pipeline.pages.drift import PAGE, write_drift_page
from radia_pipeline.pages.shadow import shadow_section
from radia_pipeline.usecases.forget import forget_patients
from radia_pipeline_tests.monitoring.worlds import SOURCE, filled, make, report_day

WEEKS, RATE = 4, 0.01
DAY = report_day(WEEKS)
CLASSES = vocabulary().classes
NAME = "Cardiomegaly"


class Model:
    """Says of a film what its mean grey level is, more or less."""

    input = SimpleNamespace(size_px=16)

    def __init__(self, more: float) -> None:
        self.more, self.looked = more, 0

    def look(self, square: np.ndarray) -> SimpleNamespace:
        self.looked += 1
        return SimpleNamespace(logits=np.full(len(CLASSES), square.mean() / 65535 + self.more))

    def probabilities(self, logits: np.ndarray) -> np.ndarray:
        return logits.mean(axis=0)


def using(folder, version: str, model: Model, manifest: str) -> SimpleNamespace:
    folder.mkdir(parents=True)
    (folder / "model.json").write_text(json.dumps({"manifest_versions": {SOURCE: manifest}}), encoding="utf-8")
    ensemble = SimpleNamespace(
        used_members=("one",), cuts=np.full(len(CLASSES), 0.45), predict=lambda said: (None, said["one"])
    )
    return SimpleNamespace(ensemble_version=version, ensemble=ensemble, folder=lambda name: folder, model=model)


@pytest.fixture
def world(tmp_path, monkeypatch):
    """Return a lake of four weeks, of which both models have met the first, with a pool for every patient."""
    lake = make(tmp_path / "lake", WEEKS)
    films = lake.read("images", SOURCE).to_pylist()
    pools = [
        {"patient_key": film["patient_key"], "source": SOURCE, "pool": "test" if n % 6 == 0 else "validation"}
        for n, film in enumerate(films)
    ]
    lake.write("splits", filled("splits", pools))
    came = {row["study_id"]: row["delivery"] for row in lake.read("arrivals", SOURCE).to_pylist()}
    met = [{**film, "pool": "validation"} for film in films if came[film["study_id"]] == 1]
    lake.write("manifest", filled("manifest", met), SOURCE)
    manifest = lake.version("manifest", SOURCE)
    sides = {name: using(tmp_path / name, name, Model(more), manifest) for name, more in (("old", 0.0), ("new", 0.02))}
    monkeypatch.setattr(shadow, "champion_of", lambda _: sides.get("old"))
    monkeypatch.setattr(shadow, "challenger_of", lambda _: sides["new"])
    monkeypatch.setattr(shadow, "served_models", lambda one: {"one": one.model})
    lake.write("ensemble", filled("ensemble", [{"class": name} for name in CLASSES]))
    outside = {film["image_id"] for n, film in enumerate(films) if n % 6 and came[film["study_id"]] > 1}
    return SimpleNamespace(lake=lake, sides=sides, outside=outside)


def test_both_look_once_at_one_film_of_each_patient_that_came_since_and_is_not_of_the_test_pool(world):
    rows = score_in_shadow(world.lake, SOURCE, DAY, pair_of(world.lake), most=10)
    assert len(rows) == 30 and {row["delivery"] for row in rows} == {2, 3, 4}, "at most ten of a delivery"
    assert {row["image_id"] for row in rows} <= world.outside
    assert all(row["challenger_scores"][0] == pytest.approx(row["champion_scores"][0] + 0.02) for row in rows)
    again = score_in_shadow(world.lake, SOURCE, DAY, pair_of(world.lake), most=10)
    assert again == rows and [side.model.looked for side in world.sides.values()] == [30, 30]
    assert score_in_shadow(world.lake, SOURCE, report_day(2), pair_of(world.lake), most=10) == [
        row for row in rows if row["delivery"] == 2
    ]


def test_another_challenger_begins_anew_and_a_model_of_both_is_asked_once(world):
    score_in_shadow(world.lake, SOURCE, DAY, pair_of(world.lake), most=10)
    world.sides["new"] = SimpleNamespace(**{**vars(world.sides["old"]), "ensemble_version": "third"})
    rows = score_in_shadow(world.lake, SOURCE, DAY, pair_of(world.lake), most=10)
    assert world.sides["old"].model.looked == 60
    assert all(row["champion_scores"] == row["challenger_scores"] for row in rows)


def test_without_a_pair_there_is_nothing_to_compare(world):
    world.sides["new"] = world.sides["old"]
    assert pair_of(world.lake) is None and compare_in_shadow(world.lake, DAY, protocol()) == 0
    del world.sides["old"]
    assert pair_of(world.lake) is None
    assert world.lake.read("shadow_differences", DAY.isoformat()).num_rows == 0


def test_a_day_is_published_shown_and_forgotten_with_its_patients(world):
    count = len(world.outside)
    assert compare_in_shadow(world.lake, DAY, protocol()) == count
    rows = read_differences(world.lake, DAY.isoformat())
    found = summed_up(rows, RATE)
    assert (found.studies, found.deliveries) == (count, 3)
    whole = next(row for row in rows if (row["attribute"], row["class"]) == ("all", NAME))
    assert whole["gained"] > 0 == whole["lost"] and whole["low"] <= whole["difference"] <= whole["high"]
    assert 0 < whole["labelled"] <= count and whole["champion_auc"] == pytest.approx(whole["challenger_auc"])
    world.lake.write("drift_report", [], DAY.isoformat())
    page = write_drift_page(world.lake, world.lake.root / PAGE).read_text(encoding="utf-8")
    assert f"{count} studies so far" in page and f"{SOURCE} 2, " in page
    victim = world.lake.read("shadow_scores", SOURCE)["patient_key"][0].as_py()
    forget_patients([victim], world.lake)
    assert victim not in world.lake.read("shadow_scores", SOURCE)["patient_key"].to_pylist()


def invented(count: int, seed: int = 0) -> tuple[list[dict], dict, dict]:
    """Return rows, facts and labels of studies in which the challenger misses NAME in films taken lying."""
    rng, place = np.random.default_rng(seed), CLASSES.index(NAME)
    rows, portable, labels = [], {}, {}
    for number in range(count):
        key, champion = (SOURCE, f"{number:032x}"), rng.random(len(CLASSES))
        challenger = np.clip(champion + rng.normal(0, 0.02, len(CLASSES)), 0, 1)
        portable[key] = ("AP" if number % 3 == 0 else "PA",)
        labels[key] = {NAME: int(champion[place] + rng.normal(0, 0.2) > 0.5)}
        challenger[place] *= 0.3 if number % 3 == 0 else 1.0
        rows.append(
            {
                "source": SOURCE,
                "study_id": key[1],
                "delivery": 1 + number % 2,
                "day": "2026-11-30",
                "champion_scores": champion.tolist(),
                "challenger_scores": challenger.tolist(),
            }
        )
    return rows, {"portable": portable}, labels


def test_a_subgroup_in_which_a_class_is_missed_stands_out_and_no_other():
    rows, facts, labels = invented(300)
    cuts = np.full(len(CLASSES), 0.5)
    found = differences(shadowed(rows, (cuts, cuts), labels, facts))
    sure = {(row["attribute"], row["stratum"]) for row in summed_up(found, RATE).stand_out}
    assert ("portable", "AP") in sure and ("portable", "PA") not in sure
    assert {row["class"] for row in summed_up(found, RATE).stand_out} == {NAME}
    worst = next(row for row in found if (row["stratum"], row["class"]) == ("AP", NAME))
    assert worst["lost"] > 30 and worst["gained"] == 0 and worst["high"] < -0.2
    whole = next(row for row in found if (row["attribute"], row["class"]) == ("all", NAME))
    assert whole["auc_high"] < 0 < whole["labelled"], "labels say that the champion was right"
    assert {row["stratum"] for row in found if row["attribute"] == DELIVERY} == {
        f"{SOURCE} {number}, 2026-11-30" for number in (1, 2)
    }


def test_alike_models_stand_out_nowhere_and_small_subgroups_are_not_told():
    rows, facts, labels = invented(2 * LEAST_STUDIES)
    same = [{**row, "challenger_scores": row["champion_scores"]} for row in rows]
    cuts = np.full(len(CLASSES), 0.5)
    found = differences(shadowed(same, (cuts, cuts), labels, facts))
    assert summed_up(found, RATE).stand_out == () and "AP" not in {row["stratum"] for row in found}
    shown = shadow_section(found, RATE)
    assert shown["parts"] == [] and [row["gained"] for row in shown["classes"] if row["class"] == NAME] == [0]
    assert all(row["low"] < row["high"] for row in found if row["difference"] is not None), "no interval of zero width"
