"""What every test folder may use: where real data lies (if it does), how property tests are run, in which order."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from hypothesis import settings

settings.register_profile("radia", deadline=None)
settings.load_profile("radia")  # a busy machine is no defect


@pytest.fixture(scope="session")
def real_root() -> Path:
    """Root of the real radiographs and tables; absent on a user's machine, so tests that use it skip there."""
    root = Path(__file__).resolve().parents[2] / "shared" / "real"
    if not root.is_dir():
        pytest.skip("real data (../shared/real) is not on this machine")
    return root


@pytest.fixture(scope="module", autouse=True)
def no_loop_is_left():
    """Fail where a file leaves an event loop running in this thread: in the next file ``asyncio.run`` would refuse."""
    yield
    try:
        left = asyncio.get_running_loop()
    except RuntimeError:
        return
    pytest.fail(f"this file leaves {left} running in the thread of the tests that come after it; end it in the file")


@pytest.fixture(scope="session")
def fork():
    """Return the process from which others are forked that begin with foreign libraries loaded."""
    from radia_pipeline_tests.forked import forked

    with forked() as running:
        yield running


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config, log):
    """Share tests among processes by pieces, where files were asked for (``--dist loadfile``)."""
    from radia_pipeline_tests.order import ByPieces

    return ByPieces(config, log) if config.getvalue("dist") == "loadfile" else None


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config, items):
    """Mark the tests of long pieces, and let the longest begin first where several processes share the tests."""
    from radia_pipeline_tests.order import is_long, place_of

    for item in items:
        if is_long(item.nodeid):
            item.add_marker("long")
    if hasattr(config, "workerinput"):
        items.sort(key=lambda item: place_of(item.nodeid))
