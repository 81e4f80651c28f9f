"""One training or one sweep of a recipe at a time: the lock that it holds. What it does is not known here."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import TYPE_CHECKING

from radia_pipeline.errors import AlreadyRunning, LakeLocked

if TYPE_CHECKING:
    from radia_pipeline.lake.lake import Lake


@contextlib.contextmanager
def exclusive(
    lake: Lake, recipe_name: str, work: str = "training", busy: str = "Recipe {} is being trained by another process"
) -> Iterator[None]:
    """Hold the recipe's lock for ``work``; raises AlreadyRunning at once when another process holds it.

    ``busy``: what it then says, with the recipe's name for {}.
    """
    with contextlib.ExitStack() as stack:
        try:
            stack.enter_context(lake.lock(f"{work}.{recipe_name}", wait_s=0.0))
        except LakeLocked:
            raise AlreadyRunning(busy.format(recipe_name), do="wait for it, or stop it first") from None
        yield
