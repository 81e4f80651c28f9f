"""A small phantom, written once for all tests of this folder."""

from __future__ import annotations

import pytest

from radia_pipeline.phantom.write import PhantomResult, write_phantom

PATIENTS = {"ccsmtl": 45, "nih_cxr14": 10}


@pytest.fixture(scope="session")
def phantom(tmp_path_factory) -> PhantomResult:
    """A phantom of a few patients at a small size."""
    return write_phantom(tmp_path_factory.mktemp("phantom"), seed=3, patients=PATIENTS, size_px=96, workers=1)
