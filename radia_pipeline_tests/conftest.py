"""Fixtures that every test folder may use: where real data lies (if it does), and an empty lake."""

from __future__ import annotations

from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def real_root() -> Path:
    """Root of the real radiographs and tables; absent on a user's machine, so tests that use it skip there."""
    root = Path(__file__).resolve().parents[2] / "shared" / "real"
    if not root.is_dir():
        pytest.skip("real data (../shared/real) is not on this machine")
    return root
