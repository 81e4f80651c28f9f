"""Boxes, their figures and the maps that they are cut from are those on record."""

from __future__ import annotations

import pytest

from radia_pipeline_tests.evaluation.golden import plain
from radia_pipeline_tests.localisation import golden
from radia_pipeline_tests.localisation.golden import PARTS, RECORD, part_of


def test_the_record_is_of_the_declared_version():
    if wrong := RECORD.stale(golden.BOXES_VERSION):
        pytest.fail(wrong, pytrace=False)


@pytest.mark.parametrize("name", PARTS)
def test_fixed_inputs_come_to_their_numbers(name):
    if wrong := RECORD.complaints(part_of(name), name, plain(PARTS[name]())):
        pytest.fail(wrong, pytrace=False)
