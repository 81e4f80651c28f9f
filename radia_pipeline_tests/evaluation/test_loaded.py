"""What MLflow loads answers as the lake does, without unpickling, and says what it takes, gives and learned from."""

from __future__ import annotations

import json

import cv2
import numpy as np
import pandas as pd
import pytest
import torch

from radia_pipeline.contracts.vocabulary import vocabulary
from radia_pipeline.defs.tracked_figures import log_ensemble
from radia_pipeline.errors import BadInput
from radia_pipeline.evaluation import ensemble as ensembles
from radia_pipeline.evaluation.loaded import Loaded
from radia_pipeline.tracking.artifacts import place_of
from radia_pipeline.tracking.client import Tracker
from radia_pipeline.tracking.history import import_mlflow
from radia_pipeline.tracking.models import log_model
from radia_pipeline.training.inference import load_classifier, predict_images, predict_manifest
from radia_pipeline.training.inputs import prepare
from radia_pipeline.training.model_folders import latest_model
from radia_pipeline.training.trainer import train
from radia_pipeline_tests.training.synthetic import tiny_recipe, write_lake

RECIPES = {"left": {"views": {"use": "frontal"}}, "right": {"model": {"head": "pcam"}}}


@pytest.fixture(scope="module")
def lake(tmp_path_factory):
    made = write_lake(tmp_path_factory.mktemp("loaded"), patients=40)
    for name, sections in RECIPES.items():
        train(tiny_recipe(name=name, training={"max_epochs": 1}, **sections), made)
        predict_manifest(made, name)
    panels = [ensembles.read_panel(made, name) for name in sorted(RECIPES)]
    fitted = ensembles.fit_ensemble("mean_probability", sorted(RECIPES), panels)
    made.write("ensemble", ensembles._rows(fitted, panels))
    return made


def png(seed: int) -> tuple[bytes, np.ndarray]:
    picture = np.random.default_rng(seed).integers(0, 65536, (60, 50)).astype(np.uint16)
    return cv2.imencode(".png", picture)[1].tobytes(), picture


def opened(tracker: Tracker, artifacts: str):
    mlflow = import_mlflow()
    mlflow.set_tracking_uri(tracker.uri)
    return mlflow.pyfunc.load_model(artifacts)


def test_a_recipes_model_is_loaded_by_mlflow_with_signature_example_and_datasets(lake):
    tracker, folder = Tracker(lake), latest_model(lake, "left")
    run = tracker.start_or_resume("left", {})
    version = log_model(run, folder, "left")
    run.log_datasets("manifest", {"ccsmtl": lake.version("manifest", "ccsmtl")})  # a second time changes nothing
    run.finish()
    model, (content, picture) = opened(tracker, "models:/left@challenger"), png(0)
    found = model.predict(pd.DataFrame({"frontal": [content]}))
    assert list(found.columns) == list(vocabulary().classes) == model.metadata.signature.outputs.input_names()
    (wanted,) = predict_images(folder, [picture])
    assert found.iloc[0].to_dict() == pytest.approx(wanted, abs=1e-6)
    assert model.predict(model.input_example).notna().all(axis=None)
    (dataset,) = tracker.client.get_run(run.run_id).inputs.dataset_inputs
    assert json.loads(dataset.dataset.source)["version"] == lake.version("manifest", "ccsmtl")
    files = {path.suffix for path in place_of(version.artifacts, tracker.uri).rglob("*") if path.is_file()}
    assert files == {".safetensors", ".json", ""}


def test_the_ensemble_is_one_model_with_calibration_and_logged_once_a_version(lake):
    run_id, tracker = log_ensemble(lake), Tracker(lake)
    assert log_ensemble(lake) == run_id
    (version,) = tracker.client.search_model_versions("name = 'ensemble'")
    frontal, lateral = png(1), png(2)
    asked = pd.DataFrame({"frontal": [frontal[0], frontal[0]], "lateral": [lateral[0], None]})
    found = opened(tracker, version.source).predict(asked)
    named: dict[str, list] = {"left": [], "right": []}
    for views in ((frontal[1], lateral[1]), (frontal[1],)):
        for name, said in named.items():
            net = load_classifier(latest_model(lake, name))
            kept = views[:1] if name == "left" else views
            images = torch.from_numpy(np.stack([prepare(view, net.input) for view in kept]))[None]
            with torch.no_grad():
                said.append(net.probabilities(net(images, torch.ones(images.shape[:2], dtype=torch.bool)))[0].numpy())
    wanted = ensembles.load_ensemble(lake).predict({name: np.stack(said) for name, said in named.items()})[1]
    assert np.allclose(found.to_numpy(), wanted, atol=1e-6)


def test_pictures_that_are_none_are_refused_and_a_missing_view_gives_no_number(lake):
    model = Loaded({"model": load_classifier(latest_model(lake, "left"))}, None)
    with pytest.raises(BadInput, match="grey PNG"):
        model.predict(pd.DataFrame({"frontal": [b"no picture"]}))
    only_lateral = pd.DataFrame({"frontal": [None], "lateral": [png(3)[0]]})
    assert model.predict(only_lateral).isna().all(axis=None)
