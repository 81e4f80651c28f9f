"""The one map over items: tasks go to this machine's workers, or in portions to the nodes of a Ray cluster.

Whoever has many files to work on calls ``map_items`` and never asks where they are worked on; only the caller writes
tables. Not here: the choice (``where``), workers (``pool``), the cluster (``cluster``) and what a node does (``node``).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from radia_pipeline.processes import pool
from radia_pipeline.processes.cluster import map_on_nodes
from radia_pipeline.processes.frames import Frame
from radia_pipeline.processes.where import HERE, Where


def map_items(
    work: pool.Work, tasks: Iterable[Frame], *, workers: int, window: int | None = None, where: Where = HERE
) -> Iterator[tuple[int, pool.Answer]]:
    """Yield (number of the task, answer) in the order of completion, each once, wherever the task was worked on.

    As ``pool.map_tasks``; on a cluster each node takes as many workers as it offers processors, whatever ``workers``
    says. Raises RunFailed besides where no node is left or each is refused.
    """
    if where.is_local:
        return pool.map_tasks(work, tasks, workers=workers, window=window)
    return map_on_nodes(work, tasks, window=window, where=where)
