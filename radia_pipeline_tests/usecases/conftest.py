"""What several tests of use cases share: a lake of films that answers, made once a session."""

from __future__ import annotations

import pytest

from radia_pipeline.lake.lake import Lake
from radia_pipeline_tests.usecases.films import make_lake


@pytest.fixture(scope="session")
def film_lake(tmp_path_factory) -> Lake:
    """Return a lake of phantom films with an ensemble; tests may add tables that answering does not read."""
    return make_lake(tmp_path_factory.mktemp("films") / "lake")
