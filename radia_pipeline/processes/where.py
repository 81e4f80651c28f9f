"""Where items are worked on: this machine's workers, or the nodes of a Ray cluster.

Here: the choice, by command, environment or lake. Not here: the work (``items``).
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path

from radia_pipeline.lake.keys import kept_fingerprint
from radia_pipeline.lake.lake import Lake
from radia_pipeline.lake.settings import LOCAL, read_settings, require_pool
from radia_pipeline.processes.progress import say

POOL_VARIABLE = "RADIA_POOL"
"""Where a command that starts other processes says which pool they use."""


@dataclass(frozen=True)
class Where:
    """Where items are worked on. ``address``: LOCAL, or a Ray cluster's.

    Of nodes: ``key``, fingerprint of the pseudonym key that each must find in its own environment, None where none is
    asked for; ``reads`` and ``writes``: folders that each must see as this machine does; ``tell``: hears who joins, who
    is refused and who is lost.
    """

    address: str = LOCAL
    key: str | None = None
    reads: tuple[str, ...] = ()
    writes: tuple[str, ...] = ()
    tell: Callable[[str], None] = field(default=say, compare=False)

    @property
    def is_local(self) -> bool:
        """Whether nothing leaves this machine."""
        return self.address == LOCAL


HERE = Where()


def where_of(
    lake: Lake, address: str | None = None, *, reads: Iterable[Path] = (), tell: Callable[[str], None] = say
) -> Where:
    """Return where a lake's items are worked on: as asked for, else by $RADIA_POOL, else by the lake's settings."""
    found = where_named(address, otherwise=read_settings(lake.root).pool, reads=reads, tell=tell)
    if found.is_local:
        return HERE
    lake.pixels_dir.mkdir(parents=True, exist_ok=True)
    return replace(found, key=kept_fingerprint(lake.root), writes=(str(lake.pixels_dir.absolute()),))


def where_named(
    address: str | None,
    *,
    otherwise: str = LOCAL,
    reads: Iterable[Path] = (),
    tell: Callable[[str], None] = say,
) -> Where:
    """Return where items of no lake are worked on: as asked for, else by $RADIA_POOL, else ``otherwise``."""
    chosen = require_pool(address or os.environ.get(POOL_VARIABLE) or otherwise)
    return HERE if chosen == LOCAL else Where(chosen, None, tuple(str(Path(one).absolute()) for one in reads), (), tell)
