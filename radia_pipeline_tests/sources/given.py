"""A source for tests: each test says what it delivers, the rest is the interface's own default."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from radia_pipeline.sources.base import DeliveredFile, Source


class GivenSource(Source):
    """A source under a registered name; every folder has its layout, and no file lies in it."""

    name = "nih_cxr14"

    def has_layout(self, root: Path) -> bool:
        """See ``Source.has_layout``."""
        return True

    def files(self, root: Path) -> Iterator[DeliveredFile]:
        """See ``Source.files``."""
        return iter(())
