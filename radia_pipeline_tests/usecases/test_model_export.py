"""Models that leave the house: each format answers as the model does, the card says what it is, and nobody is in it."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
import torch

from radia_pipeline.contracts.vocabulary import vocabulary
from radia_pipeline.errors import BadInput, RunFailed
from radia_pipeline.evaluation import ensemble as ensembles
from radia_pipeline.evaluation import network_files
from radia_pipeline.evaluation.in_use import in_use
from radia_pipeline.training.inference import load_classifier, predict_manifest
from radia_pipeline.training.model_folders import latest_model
from radia_pipeline.training.trainer import train
from radia_pipeline.usecases.model_export import export_model
from radia_pipeline_tests.training.synthetic import tiny_recipe, write_lake

GUIDE = Path(__file__).parents[2] / "docs" / "model_export.md"
RECIPES = {
    "small": {"training": {"max_epochs": 1}, "views": {"use": "frontal"}},
    "pooled": {"training": {"max_epochs": 1}, "model": {"head": "pcam"}, "task": {"inference": "hierarchy"}},
}


@pytest.fixture(scope="module")
def lake(tmp_path_factory):
    """A lake with two members of different feeds and an ensemble that uses both."""
    made = write_lake(tmp_path_factory.mktemp("leaving"), patients=60)
    for name, sections in RECIPES.items():
        train(tiny_recipe(name=name, **sections), made)
        predict_manifest(made, name)
    panels = [ensembles.read_panel(made, name) for name in sorted(RECIPES)]
    fitted = ensembles.fit_ensemble("mean_logit", sorted(RECIPES), panels)
    made.write("ensemble", ensembles._rows(fitted, panels))
    return made


def answers(path: Path, feed: dict[str, np.ndarray]) -> np.ndarray:
    return onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"]).run(None, feed)[0]


def test_the_ensemble_as_onnx_answers_as_the_lake_does_with_calibration_and_coherence(lake, tmp_path):
    export_model(lake, "ensemble", "onnx", tmp_path / "out")
    card = json.loads((tmp_path / "out" / "card.json").read_text())
    using, random, feed, named = in_use(lake), np.random.default_rng(3), {}, {}
    for name, entry in zip(using.ensemble.used_members, card["written"]["inputs"], strict=True):
        images = random.normal(size=(5, *entry["shape"][1:])).astype(np.float32)
        present = np.ones(images.shape[:2], dtype=bool)
        present[2:, 1:] = False
        feed |= {entry["images"]: images, entry["present"]: present}
        classifier = load_classifier(using.folder(name))
        with torch.no_grad():
            logits = classifier(torch.from_numpy(images), torch.from_numpy(present))
            named[name] = classifier.probabilities(logits).numpy()
    found = answers(tmp_path / "out" / "model.onnx", feed)
    assert np.abs(found - using.ensemble.predict(named)[1]).max() <= 1e-4
    assert card["written"]["differs_from_torch"] <= 1e-4
    assert card["decision"]["rule"] == "mean_logit" and card["decision"]["used"] == sorted(RECIPES)


def test_weights_for_timm_load_as_the_guide_says_and_answer_as_the_model(lake, tmp_path, monkeypatch, capsys):
    export_model(lake, "small", "safetensors", tmp_path / "exported_model")
    (example,) = re.findall(r"^```python\n(.*?)^```", GUIDE.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    monkeypatch.chdir(tmp_path)
    said: dict = {}
    exec(compile(example, "guide", "exec"), said)
    classifier = load_classifier(latest_model(lake, "small"))
    images = (said["grey"] - said["step"]["mean"][0]) / said["step"]["deviation"][0]
    with torch.no_grad():
        wanted = classifier.probabilities(classifier(images[None], torch.ones(1, 1, dtype=torch.bool)))
    assert torch.allclose(said["probabilities"], wanted, atol=1e-4)
    assert "Cardiomegaly" in capsys.readouterr().out


def test_each_format_is_proved_before_it_is_kept(lake, tmp_path, monkeypatch):
    for form in ("safetensors", "torchxrayvision"):
        for name in RECIPES:
            if (form, name) == ("torchxrayvision", "pooled"):
                with pytest.raises(BadInput, match="pcam head"):
                    export_model(lake, name, form, tmp_path / form / name)
                continue
            found = export_model(lake, name, form, tmp_path / form / name)
            card = json.loads((found.path / "card.json").read_text())
            (branch,) = card["written"]["branches"].values()
            assert branch["differs"] <= 1e-4
            assert set(branch["files"]) <= set(found.files)
    monkeypatch.setattr(network_files, "TOLERANCE", -1.0)  # nothing agrees that well
    with pytest.raises(RunFailed, match="answers otherwise"):
        export_model(lake, "small", "onnx", tmp_path / "wrong")
    assert not (tmp_path / "wrong").exists()


def test_a_card_says_what_is_needed_and_nobody_is_in_it(lake, tmp_path):
    export_model(lake, "small", "safetensors", tmp_path / "out")
    text = "".join(path.read_text(encoding="utf-8") for path in (tmp_path / "out").glob("*.*[nd]"))
    card = json.loads((tmp_path / "out" / "card.json").read_text())
    assert [one["name"] for one in card["classes"]] == list(vocabulary().classes)
    assert any(isinstance(one["threshold"], float) for one in card["classes"])
    (member,) = card["members"]
    assert member["input"]["mean"] == [0.5] and member["manifest_versions"] == {
        "ccsmtl": lake.version("manifest", "ccsmtl")
    }
    assert card["data"][0]["licence"].startswith("Private")
    assert "Not for diagnosis" in card["intended_use"]
    rows = lake.read("manifest", "ccsmtl").to_pylist()
    private = {str(row[key]) for row in rows for key in ("image_id", "study_id", "patient_key", "group_id", "path")}
    assert not [word for word in (*private, str(lake.root)) if word in text]


def test_a_folder_that_holds_something_is_left_alone(lake, tmp_path):
    (tmp_path / "mine").write_text("mine")
    with pytest.raises(BadInput, match="holds something"):
        export_model(lake, "small", "safetensors", tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["mine"]
