"""Resampling: groups, not studies; it does not depend on order or chunks."""

from __future__ import annotations

import numpy as np
import pytest

from radia_pipeline.evaluation import bootstrap, metrics
from radia_pipeline_tests.evaluation.worlds import study_pool


def resampled_auc(p, y, g, replicates: int) -> np.ndarray:
    ranked = metrics.Ranked.of(p, y)
    draws = bootstrap.Resampler.of(g, replicates)
    return np.concatenate([metrics.weighted_auc(ranked, weight[:, ranked.order]) for weight in draws])


def test_copies_of_a_patient_do_not_narrow_the_interval():
    p, y, g = study_pool(1)
    one = bootstrap.percentile_interval(resampled_auc(p, y, g, 400))
    copied = bootstrap.percentile_interval(resampled_auc(*(np.repeat(x, 4) for x in (p, y, g)), 400))
    assert copied == pytest.approx(one)


def test_order_of_rows_and_size_of_chunks_do_not_matter(monkeypatch):
    p, y, g = study_pool(2)
    first = resampled_auc(p, y, g, 60)
    shuffled = np.random.default_rng(0).permutation(len(y))
    monkeypatch.setattr(bootstrap, "CHUNK_CELLS", 700)
    assert np.allclose(first, resampled_auc(p[shuffled], y[shuffled], g[shuffled], 60))


def test_replicates_without_the_figure_are_left_out():
    assert bootstrap.percentile_interval(np.array([np.nan, 0.4, 0.6, np.nan])) == pytest.approx((0.405, 0.595))
    assert np.isnan(bootstrap.percentile_interval(np.full(5, np.nan))).all()
