"""What assets are given: the lake, the keys, where deliveries lie, and a way to report progress."""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable
from pathlib import Path

import dagster as dg

from radia_pipeline.errors import NoLayout
from radia_pipeline.lake.keys import DemoKeyWarning, Pseudonymizer
from radia_pipeline.lake.lake import Lake
from radia_pipeline.lake.settings import Settings, read_settings
from radia_pipeline.sources.base import Source
from radia_pipeline.sources.registry import source as find_source

PROGRESS_EVERY_S = 10.0
POOL_TAG = "radia/pool"
"""A run's tag that chooses where its files are worked on."""

Listener = Callable[[str, int, int], None]
_listeners: list[Listener] = []


def listen(listener: Listener) -> Callable[[], None]:
    """Let a terminal follow progress of assets that run in this process; returns the way to stop."""
    _listeners.append(listener)
    return lambda: _listeners.remove(listener)


class Radia(dg.ConfigurableResource):
    """The lake that a run works on. Settings that belong to the lake are read from it."""

    lake_root: str

    def lake(self) -> Lake:
        """Open the lake, making it if need be."""
        return Lake.open(Path(self.lake_root))

    def pseudonymizer(self) -> Pseudonymizer:
        """Return the keyed hashes of this lake; the public demo key is announced by the command line, not here."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DemoKeyWarning)
            return Pseudonymizer.from_environment(self.lake())

    def now_s(self) -> float:
        """Return the clock of whoever looks after the lake, in seconds since 1970."""
        return time.time()

    def settings(self) -> Settings:
        """Return the lake's settings."""
        return read_settings(Path(self.lake_root))

    def delivery(self, name: str) -> tuple[Source, Path]:
        """Return a source's adapter and the root of its delivery; raises NoLayout where it is absent."""
        adapter = find_source(name)
        root = self.settings().sources_root
        if root is None:
            raise NoLayout(
                "The lake does not know where deliveries lie",
                accepted="a folder with sources in their published layouts",
                do="run `radia run --sources-root DIR` once, or set sources_root in the lake's settings.json",
            )
        found = adapter.locate(Path(root))
        if found is None:
            raise NoLayout(
                f"Source {name} is absent under {root}",
                accepted=f"its published layout in {root} or {root}/{name} (data_contracts/sources/{name}.yaml)",
                do="deliver it there, or leave this partition out",
            )
        return adapter, found


def pool_of(context: dg.AssetExecutionContext) -> str | None:
    """Return the pool that a run's tag asks for; None where the lake's settings decide."""
    return context.run.tags.get(POOL_TAG)


def progress(context: dg.AssetExecutionContext, what: str) -> Callable[[int, int], None]:
    """Return a callback ``(done, total)`` that logs a line every ten seconds and tells listening terminals at once."""
    started = last = time.monotonic()

    def report(done: int, total: int) -> None:
        nonlocal last
        for listener in _listeners:
            listener(what, done, total)
        now = time.monotonic()
        if now - last >= PROGRESS_EVERY_S or done == total:
            last = now
            rate = done / max(now - started, 1e-9)
            left = (total - done) / rate if rate else float("inf")
            context.log.info(f"{what}: {done} of {total}, {rate:.1f}/s, {left:.0f} s left")

    return report
