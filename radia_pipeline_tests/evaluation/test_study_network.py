"""An ensemble as a network says what the table's numpy says: rules, calibration and coherence, name by name."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from radia_pipeline.contracts.vocabulary import vocabulary
from radia_pipeline.evaluation import coherence, combinations, study_network
from radia_pipeline.evaluation.calibration import Calibration
from radia_pipeline.evaluation.ensemble import SINGLE, Combination, Ensemble
from radia_pipeline.evaluation.study_network import SLOTS, EnsembleNetwork, StudyNetwork
from radia_pipeline.training.choices import VIEWS
from radia_pipeline.training.models import Classifier
from radia_pipeline_tests.training.synthetic import tiny_recipe

CLASSES, STUDIES = len(vocabulary().classes), 60
STEPS = Calibration(1.1, -0.2, "isotonic", (-4.0, -1.0, -1.0, 0.5, 3.0), (0.01, 0.05, 0.2, 0.2, 0.9))
MEMBERS = ("a", "b", "c")


def said(members: int = 3) -> np.ndarray:
    """Probabilities (M, n, K), some of them sure."""
    values = np.random.default_rng(0).beta(0.4, 1.2, (members, STUDIES, CLASSES))
    values[:, 0], values[:, 1] = 0.0, 1.0
    return values


def ensemble(rule: str, way: str = "met") -> Ensemble:
    random = np.random.default_rng(1)
    label = (random.random((STUDIES, CLASSES)) < 0.4).astype(int)
    combination = Combination.fitted(rule, MEMBERS, said(), label)
    fits = [Calibration(a, b, "platt") for a, b in random.uniform((0.5, -1), (2, 1), (CLASSES, 2))]
    fits[3], fits[7] = STEPS, Calibration()
    return Ensemble(combination, tuple(fits), way, np.full(CLASSES, np.nan))


@pytest.fixture(scope="module")
def members() -> dict[str, StudyNetwork]:
    return {name: StudyNetwork(Classifier(tiny_recipe())) for name in MEMBERS}


@pytest.mark.parametrize("rule", [*combinations.RULES, f"{SINGLE}b"])
def test_a_decision_is_that_of_the_table(rule, members):
    wanted = ensemble(rule)
    network = EnsembleNetwork(members, wanted)
    named = dict(zip(MEMBERS, said()))
    found = network.decide(torch.from_numpy(np.stack([named[name] for name in wanted.used_members]))).numpy()
    assert np.allclose(found, wanted.predict(named)[1], atol=1e-9)
    assert coherence.violations(found) == 0


@pytest.mark.parametrize("way", list(coherence.WAYS))
def test_a_way_to_coherence_is_that_of_the_table(way, members):
    named = dict(zip(MEMBERS, said()))
    wanted = ensemble("mean_logit", way)
    found = EnsembleNetwork(members, wanted).decide(torch.from_numpy(said())).numpy()
    assert np.allclose(found, wanted.predict(named)[1], atol=1e-9)


def test_no_name_is_missing():
    assert list(study_network.RULES) == list(combinations.RULES)
    assert list(study_network.WAYS) == list(coherence.WAYS)
    assert list(SLOTS) == list(VIEWS)


def test_a_study_is_answered_as_the_classifier_does_whatever_lies_in_an_absent_view(members):
    network = members["a"].eval()
    images, present = torch.randn(3, 2, 1, 32, 32), torch.tensor([[True, True], [True, False], [False, True]])
    with torch.no_grad():
        wanted = network.classifier.probabilities(network.classifier(images, present))
        assert torch.allclose(network(images, present), wanted, atol=1e-6)
        images[1, 1] = 9.0
        assert torch.allclose(network(images, present), wanted, atol=1e-6)
