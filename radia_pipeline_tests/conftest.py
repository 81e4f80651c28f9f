"""What every test folder may use: where real data lies (if it does), and how property tests are run."""

from __future__ import annotations

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
