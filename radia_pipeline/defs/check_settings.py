"""Whether a lake's settings can be followed here and now: ``radia settings check``. Not here: setting them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

from radia_pipeline.defs.instance import is_edited
from radia_pipeline.errors import RadiaError
from radia_pipeline.lake.lake import Lake
from radia_pipeline.lake.settings import read_settings
from radia_pipeline.tracking import database


def problems(lake: Lake) -> list[str]:
    """Return what cannot be followed, one sentence each."""
    return list(_problems(lake))


def _problems(lake: Lake) -> Iterator[str]:
    from radia_pipeline.detection.recipes import load_config
    from radia_pipeline.training.recipes import load_recipe

    settings = read_settings(lake.root)
    if settings.sources_root and not Path(settings.sources_root).is_dir():
        yield "sources_root names a folder that is not there"
    for name in settings.recipes:
        yield from _tried("recipes", partial(load_recipe, name, lake.root))
    yield from _tried("detector", lambda: load_config(settings.detector, lake.root))
    if settings.database:
        yield from _tried("database", partial(database.answers, settings.database))
    if is_edited(lake):
        yield (
            "dagster.yaml beside the lake was changed by a person: database, most_runs and pool_limit are what stands "
            "there; delete that file and it follows the settings"
        )


def _tried(name: str, try_it: Callable[[], object]) -> Iterator[str]:
    try:
        try_it()
    except RadiaError as error:
        yield f"{name}: {error}"
