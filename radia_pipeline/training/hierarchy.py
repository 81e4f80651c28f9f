"""From a class's own probability to the one that is told: as it is, or below its parents'. Chosen in ``choices``.

Legend: B studies; columns are classes in vocabulary order.
"""

from __future__ import annotations

import torch

ParentColumns = list[tuple[int, list[int]]]
"""Each class's column with its parents' columns, parents first."""


def as_it_is(own: torch.Tensor, parent_columns: ParentColumns) -> torch.Tensor:
    """log P (B, classes) -> the same."""
    return own


def chain_down(own: torch.Tensor, parent_columns: ParentColumns) -> torch.Tensor:
    """log P(class | parents) (B, classes) -> log P(class) = own + min over parents of log P(parent)."""
    result: list[torch.Tensor] = list(own.unbind(dim=1))
    for column, parents in parent_columns:
        if parents:
            result[column] = own[:, column] + torch.stack([result[parent] for parent in parents]).amin(dim=0)
    return torch.stack(result, dim=1)
