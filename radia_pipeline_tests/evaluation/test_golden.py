"""Figures, fits and thresholds of fixed pools are those on record."""

from __future__ import annotations

import pytest

from radia_pipeline_tests.evaluation import golden
from radia_pipeline_tests.evaluation.golden import ALONE, BY_POOL, RECORD


def test_the_record_is_of_the_declared_version():
    if wrong := RECORD.stale(golden.FORMS_VERSION):
        pytest.fail(wrong, pytrace=False)


@pytest.mark.parametrize("name", golden.pools())
@pytest.mark.parametrize("part", BY_POOL)
def test_a_pool_comes_to_its_figures(part, name):
    if wrong := RECORD.complaints(part, name, golden.plain(BY_POOL[part](name))):
        pytest.fail(wrong, pytrace=False)


@pytest.mark.parametrize("name", ALONE)
def test_what_is_fitted_and_drawn_comes_to_its_numbers(name):
    if wrong := RECORD.complaints("alone", name, golden.plain(ALONE[name]())):
        pytest.fail(wrong, pytrace=False)
