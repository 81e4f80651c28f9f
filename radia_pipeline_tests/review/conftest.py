"""One world for all tests of the server: made once, copied for those that write into it."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from radia_pipeline.lake.lake import Lake
from radia_pipeline.lake.settings import change_settings
from radia_pipeline.usecases.asking import open_reader
from radia_pipeline_tests.review.worlds import make_world, served


@pytest.fixture(scope="session")
def world(tmp_path_factory) -> Path:
    """Return the folder of a world with all that its models answer with."""
    root = tmp_path_factory.mktemp("review")
    open_reader(make_world(root))
    return root


def copy_of(world: Path, folder: Path) -> Lake:
    """Return the lake of a copy of the world."""
    shutil.copytree(world, folder, dirs_exist_ok=True)
    change_settings(folder / "lake", sources_root=str(folder / "sources"))
    return Lake.open(folder / "lake", create=False)


@pytest.fixture
def lake(world, tmp_path) -> Lake:
    """Return a lake of one's own."""
    return copy_of(world, tmp_path)


@pytest.fixture(scope="session")
def shared(world, tmp_path_factory):
    """Return (server, port) for tests that read nobody's answers."""
    with served(copy_of(world, tmp_path_factory.mktemp("shared"))) as found:
        yield found
