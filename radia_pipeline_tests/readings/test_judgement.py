"""A model and the readers of a set on one plane: who is below the curve, by truth without the reader."""

from __future__ import annotations

import json

import numpy as np
import pytest

from radia_pipeline.cli.main import main
from radia_pipeline.errors import BadInput
from radia_pipeline.readings.judgement import judge_set
from radia_pipeline.readings.store import Store
from radia_pipeline_tests.cohort.lakes import KEYS
from radia_pipeline_tests.evaluation.worlds import put_release
from radia_pipeline_tests.readings.lakes import drawn_set, pool_lake
from radia_pipeline_tests.readings.worlds import SOURCE, reading


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    """Return a lake with a whole pool as a set; three readers know, a fourth guesses; the model is good."""
    lake = pool_lake(tmp_path_factory.mktemp("pool"))
    found, studies = drawn_set(lake, 40)
    generator, store = np.random.default_rng(0), Store(lake)
    sick = {KEYS.study_id(SOURCE, f"{kind}{number}") for number in range(0, 40, 5) for kind in "st"}
    rows = []
    for study in studies:
        truth = int(study in sick)
        for reader, wrong in (("r1", 0.0), ("r2", 0.0), ("guess", 0.45)):
            value = 1 - truth if generator.random() < wrong else truth
            store.append(reading({"Mass": value}, study_id=study, reader=reader, set_id=found.set_id))
        changes = {"phase": "adjudication", "role": "adjudicator", "reader": "a1", "set_id": found.set_id}
        store.append(reading({"Mass": truth}, study_id=study, **changes))
        score = float(np.clip(0.3 + 0.4 * truth + 0.1 * generator.normal(), 0.01, 0.99))
        rows.append(
            {
                "recipe": "demo",
                "source": SOURCE,
                "study_id": study,
                "patient_key": study,
                "group_id": study,
                "pool": "test",
                "class": "Mass",
                "logit": 0.0,
                "probability": score,
                "label": truth,
                "image_count": 1,
            }
        )
    put_release(lake, rows)
    lake.write("predictions", [{**row, "pool": "validation"} for row in rows], "demo")
    return lake, found.set_id


def test_a_guesser_lies_below_the_curve_and_who_knows_does_not(world):
    lake, set_id = world
    (mass,) = judge_set(lake, set_id, "demo")
    point = {one.reader: one for one in mass.readers}
    assert mass.name == "Mass" and mass.figures["auc"].value > 0.9
    assert point["guess"].gap.low > 0 and (mass.below.below, mass.below.surely) == (1, 1)
    assert point["r1"].sensitivity == point["r1"].specificity == 1.0 and point["r1"].gap.value <= 0


def test_the_command_prints_them(world, capsys):
    lake, set_id = world
    assert main(["review", "figures", set_id, "--model", "demo", "--lake", str(lake.root), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["classes"][0]["name"] == "Mass"
    assert main(["review", "figures", set_id, "--model", "demo", "--lake", str(lake.root)]) == 0
    assert "1 of 3 (1 to 1)" in capsys.readouterr().out
    with pytest.raises(BadInput, match="No reading set"):
        judge_set(lake, "another")


def test_an_open_set_has_no_figures(tmp_path):
    """What two readers agree on so far are the easy studies."""
    lake = pool_lake(tmp_path)
    found, (first, *_) = drawn_set(lake, 40)
    for reader, value in (("r1", 1), ("r2", 0)):
        Store(lake).append(reading({"Mass": value}, study_id=first, reader=reader, set_id=found.set_id))
    with pytest.raises(BadInput, match=r"40 studies of .* wait"):
        judge_set(lake, found.set_id)
