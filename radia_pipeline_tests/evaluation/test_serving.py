"""The serving form says what torch says: combinations and inferences name by name, whole models by their outputs."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from torch import nn

from radia_pipeline.contracts.vocabulary import vocabulary
from radia_pipeline.errors import DamagedFile, NotTrained, VocabularyMismatch
from radia_pipeline.evaluation import serving, serving_export
from radia_pipeline.evaluation.serving import CARD, COMBINED, FOLDER, INFERRED, ServedModel
from radia_pipeline.evaluation.serving_export import TorchModel, export
from radia_pipeline.training.choices import COMBINATIONS, INFERENCES
from radia_pipeline.training.inference import load_classifier
from radia_pipeline.training.inputs import GREY_MAX, to_channels
from radia_pipeline.training.model_store import publish
from radia_pipeline.training.models import Classifier
from radia_pipeline.training.recipes import parse_recipe

PARENTS = [
    (vocabulary().index(name), [vocabulary().index(parent) for parent in vocabulary().parents(name)])
    for name in vocabulary().topological
]


@pytest.mark.parametrize("name", COMBINATIONS)
@pytest.mark.parametrize("views", [1, 2, 3])
def test_a_combination_of_views_is_that_of_the_training(name, views):
    logits = np.random.default_rng(views).normal(0, 3, (views, 21))
    mask = torch.ones(1, views, 1, dtype=torch.bool)
    theirs = COMBINATIONS[name](torch.from_numpy(logits)[None], mask)[0].numpy()
    assert np.allclose(COMBINED[name](logits), theirs, atol=1e-12)


@pytest.mark.parametrize("name", INFERENCES)
def test_an_inference_is_that_of_the_training(name):
    own = np.log(np.random.default_rng(0).random((1, 21)))
    theirs = INFERENCES[name](torch.from_numpy(own), PARENTS)[0].numpy()
    assert np.allclose(INFERRED[name](own[0]), theirs, atol=1e-12)


def test_no_name_is_missing():
    assert list(COMBINED) == list(COMBINATIONS)
    assert list(INFERRED) == list(INFERENCES)


def model(folder, **changes):
    torch.manual_seed(0)
    recipe = parse_recipe(
        {
            "name": "served",
            "input": {"size_px": 64, "channels": changes.pop("channels", "gray")},
            "views": {"weights": changes.pop("weights", "shared")},
            "task": {"inference": "hierarchy"},
            "model": {"backbone": "densenet121", "kwargs": {"block_config": [1, 1], "growth_rate": 8}, "head": "pcam"},
        }
    )
    classifier = Classifier(recipe).eval()
    classifier.prior_shift += 0.3
    folder.mkdir(parents=True, exist_ok=True)
    card = {"fingerprint": "f00d", "recipe": recipe.model_dump(mode="json"), "vocabulary_version": vocabulary().version}
    publish(folder, classifier.state_dict(), card)
    return folder


def torch_says(folder, squares):
    classifier = load_classifier(folder)
    tensors = [to_channels(square.astype(np.float32) / GREY_MAX, classifier.input) for square in squares]
    present = torch.ones(1, len(squares), dtype=torch.bool)
    with torch.no_grad():
        logits = classifier(torch.from_numpy(np.stack(tensors))[None], present)
        return classifier.probabilities(logits)[0].numpy()


@pytest.mark.slow
@pytest.mark.parametrize("changes", [{}, {"weights": "separate", "channels": "clahe"}], ids=["shared", "separate"])
def test_a_served_study_is_the_trained_models(tmp_path, changes):
    folder = model(tmp_path / "f00d", **changes)
    served = export(folder)
    squares = np.random.default_rng(1).integers(0, 65536, (2, 64, 64)).astype(np.uint16)
    seen = [served.look(square, slot) for slot, square in enumerate(squares)]
    ours = served.probabilities(np.stack([one.logits for one in seen]))
    assert np.allclose(ours, torch_says(folder, squares), atol=1e-5)
    again = ServedModel.load(folder).look(squares[0])
    assert np.array_equal(again.logits, seen[0].logits)
    (folder / FOLDER / "frontal.onnx").write_bytes(b"no model")
    with pytest.raises(DamagedFile, match="serving form"):
        ServedModel.load(folder).look(squares[0])


class Shifted(nn.Module):
    """A network whose logits another one has, higher by one."""

    def __init__(self, network):
        super().__init__()
        self.network = network

    def forward(self, images):
        logits, features = self.network(images)
        return logits + 1, features


@pytest.mark.slow
def test_a_form_that_computes_otherwise_is_not_answered_by(tmp_path, monkeypatch):
    folder = model(tmp_path / "f00d")
    write = serving_export.write_onnx
    monkeypatch.setattr(serving_export, "write_onnx", lambda network, *rest: write(Shifted(network), *rest))
    served, square = export(folder), np.random.default_rng(2).integers(0, 65536, (64, 64)).astype(np.uint16)
    assert isinstance(served, TorchModel)
    assert serving.served_card(folder)["files"] == []
    assert np.allclose(served.probabilities(served.look(square).logits[None]), torch_says(folder, [square]), atol=1e-6)


def test_a_network_that_cannot_be_exported_answers_by_torch(tmp_path):
    folder = model(tmp_path / "f00d")
    classifier = load_classifier(folder)
    card = {
        "serving_version": serving.SERVING_VERSION,
        "vocabulary_version": vocabulary().version,
        "files": [],
        "input": classifier.input.model_dump(mode="json"),
        "views": classifier.views.model_dump(mode="json"),
        "inference": classifier.inference,
        "prior_shift": classifier.prior_shift.tolist(),
    }
    (folder / FOLDER).mkdir()
    (folder / FOLDER / CARD).write_text(json.dumps(card))
    served, square = (
        TorchModel(folder, serving.served_card(folder)),
        np.arange(4096, dtype=np.uint16).reshape(64, 64) * 16,
    )
    ours = served.probabilities(served.look(square).logits[None])
    assert np.allclose(ours, torch_says(folder, [square]), atol=1e-6)


def test_a_form_of_another_version_or_vocabulary_is_no_form(tmp_path):
    (tmp_path / FOLDER).mkdir()
    with pytest.raises(NotTrained, match="serving form"):
        ServedModel.load(tmp_path)
    card = tmp_path / FOLDER / CARD
    card.write_text('{"serving_version": 0}')
    assert serving.served_card(tmp_path) is None
    card.write_text("cut")
    assert serving.served_card(tmp_path) is None
    content = {"serving_version": serving.SERVING_VERSION, "files": [], "vocabulary_version": "0.0.1"}
    card.write_text(json.dumps(content))
    with pytest.raises(VocabularyMismatch):
        serving.served_card(tmp_path)
