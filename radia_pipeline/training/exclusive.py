"""One training of a recipe at a time: the lock that a trainer holds. What it trains is not known here."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from radia_pipeline.errors import AlreadyRunning, LakeLocked


@contextlib.contextmanager
def exclusive(lake, recipe_name: str) -> Iterator[None]:
    """Hold the recipe's training lock; raises AlreadyRunning at once when another process holds it."""
    with contextlib.ExitStack() as stack:
        try:
            stack.enter_context(lake.lock(f"training.{recipe_name}", wait_s=0.0))
        except LakeLocked:
            raise AlreadyRunning(
                f"Recipe {recipe_name} is being trained by another process", do="wait for it, or stop it first"
            ) from None
        yield
