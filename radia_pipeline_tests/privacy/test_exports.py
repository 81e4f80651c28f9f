"""Exports by the book come in: those of tools under the shipped policy, a device's under what its delivery proposes."""

from __future__ import annotations

from pathlib import Path

import pytest

from radia_pipeline.dicom.admission import Intake, admit
from radia_pipeline.dicom.decode import stored_values
from radia_pipeline.errors import Refusal
from radia_pipeline.privacy.policy import policy_of
from radia_pipeline.usecases.policy_proposal import propose, try_policy
from radia_pipeline_tests.privacy import exports

INTAKE = Intake(policy_of("ccsmtl"))
pytestmark = pytest.mark.filterwarnings("ignore")


def test_exports_of_tools_come_in_under_the_shipped_policy() -> None:
    why = {}
    for name, make in exports.STANDARD.items():
        try:
            admitted = admit(make(), INTAKE)
            stored_values(admitted.parsed, admitted.facts)
        except Refusal as refusal:
            why[name] = str(refusal)
    assert why == {}


@pytest.mark.parametrize("device", exports.DEVICES)
def test_a_delivery_comes_in_under_the_policy_that_it_proposes(device: str, tmp_path: Path) -> None:
    delivery, policy = tmp_path / "delivery", tmp_path / "policy.yaml"
    delivery.mkdir()
    for number, data in enumerate(exports.DEVICES[device]()):
        (delivery / f"{number}.dcm").write_bytes(data)
    propose([delivery], "ccsmtl", policy)
    trial = try_policy([delivery], policy)
    assert (trial.passed, trial.stops) == (trial.files, {})
