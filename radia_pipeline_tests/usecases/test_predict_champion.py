"""A champion answers with the models of its approval; a rollback makes the same answers again, to the last digit."""

from __future__ import annotations

import json
import shutil

import pytest
from jsonschema import Draft202012Validator

from radia_pipeline.contracts.location import contracts_root
from radia_pipeline.detection.config import DetectorConfig
from radia_pipeline.detection.start import choose_start
from radia_pipeline.evaluation import gate
from radia_pipeline.evaluation.champion import Signature
from radia_pipeline.evaluation.ensemble import build_ensemble
from radia_pipeline.evaluation.in_use import champion_of
from radia_pipeline.evaluation.release import Release, release
from radia_pipeline.lake.lake import Lake
from radia_pipeline.localisation.pseudo import build_pseudo_boxes
from radia_pipeline.training.inference import predict_manifest
from radia_pipeline.usecases.answer_text import as_text
from radia_pipeline.usecases.predict import predict
from radia_pipeline.usecases.promotion import Approval, approve, roll_back
from radia_pipeline_tests.localisation.lakes import save_model
from radia_pipeline_tests.usecases.films import RECIPES, SOURCE, dicom, film

pytestmark = pytest.mark.slow
SCHEMA = Draft202012Validator(json.loads((contracts_root() / "answer.schema.json").read_text(encoding="utf-8")))
BY = Signature("A. Radiologist", "looked at together")


def let_through(lake: Lake, **changes) -> None:
    """Approve what stands: models of fresh weights are good for nothing, so the verdicts are turned to passed."""
    release(lake, Release("A. Person", "for this test"))
    gate.judge(lake)
    rows = [{**row, "outcome": "passed"} for row in lake.read("gate_verdicts").to_pylist()]
    assert next(row for row in rows if row["rule"] == "speed")["value"] > 0
    lake.write("gate_verdicts", rows)
    approve(lake, Approval(BY, **changes))


def train_again(lake: Lake) -> None:
    """Give each recipe a newer model, and the lake another ensemble."""
    for seed, (name, head) in enumerate(RECIPES.items(), start=70):
        save_model(lake, name, head, seed, fingerprint="beef")
        predict_manifest(lake, name)
    build_ensemble(lake, list(RECIPES))


def test_a_champion_answers_whatever_was_trained_since_and_comes_back_to_the_last_digit(film_lake, tmp_path):
    lake = Lake(shutil.copytree(film_lake.root, tmp_path / "lake"))
    (tmp_path / "film.dcm").write_bytes(dicom(film(3), 3))

    def ask() -> dict:
        answer = predict([tmp_path / "film.dcm"], lake, workers=1, ocr="off")
        assert [error.message for error in SCHEMA.iter_errors(json.loads(json.dumps(answer)))] == []
        return answer

    alone = ask()
    assert alone["model"]["kind"] == "ensemble" and "standing" not in alone["model"]
    let_through(lake, is_research=True)
    first = ask()
    assert (first["model"]["kind"], first["model"]["standing"]) == ("champion", "research")
    assert first["studies"] == alone["studies"] and "for research only" in as_text(first)
    train_again(lake)
    assert ask() == first
    start = choose_start(lake, DetectorConfig())
    assert start.model_dir == lake.models_dir / start.recipe / champion_of(lake).fingerprints[start.recipe]
    assert start.model_dir.name != "beef" and start.reason.endswith("of the champion")
    let_through(lake, is_research=True)
    second = ask()
    assert second["model"]["release"] != first["model"]["release"] and second["studies"] != first["studies"]
    boxes = build_pseudo_boxes(SOURCE, lake)
    assert (boxes.model, boxes.release) == ("champion", second["model"]["release"])
    roll_back(lake, BY)
    assert ask() == first
    roll_back(lake, BY)
    assert ask()["model"]["kind"] == "ensemble"
