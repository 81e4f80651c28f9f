"""Saliency by the strongest direction in which positions differ: EigenCAM, and EigenGradCAM class by class.

Of the positions' vectors the Gram matrix (positions by positions) is decomposed, not the vectors themselves: with 144
positions and 1,024 features that is a hundred times less work and the same direction.

Shape legend: N images, F features, K classes, h x w positions, P = h·w.
"""

from __future__ import annotations

import torch

from radia_pipeline.localisation.seen import Seen

SQUARINGS = 11
"""Of a Gram matrix at most: directions whose values differ by half a percent have parted then."""
ALONE = 1 - 4e-6
"""Share of a matrix's squares that its first direction has, from which the others are less than rounding."""
TINY = 1e-30


@torch.no_grad()
def eigencam(seen: Seen) -> torch.Tensor:
    """Muhammad 2020: projection of the features on their first principal component; one map for all classes.

    A component has no sign: it is turned so that it goes with the sum of the features, where there is most to see.
    """
    found = _first_component(seen.features.detach())
    return found[:, None].expand(-1, seen.logits.shape[1], -1, -1)


@torch.no_grad()
def eigengradcam(seen: Seen) -> torch.Tensor:
    """The same of gradient times features, turned to go with what speaks for the class (HiResCAM); 0 where no map is
    wanted."""
    images, classes = torch.nonzero(seen.wanted, as_tuple=True)
    found = seen.features.new_zeros((*seen.logits.shape, *seen.features.shape[2:]))
    found[images, classes] = _first_component(seen.jacobian[classes, images] * seen.features[images])
    return found


def _first_component(vectors: torch.Tensor) -> torch.Tensor:
    """(M, F, h, w) -> projections on the first principal component (M, h, w), their negative parts cut off."""
    height, width = vectors.shape[2:]
    rows = vectors.flatten(2).transpose(1, 2)
    guide = rows.sum(dim=2)
    rows = rows - rows.mean(dim=1, keepdim=True)
    found = _strongest(rows @ rows.transpose(1, 2))
    against = (found * (guide - guide.mean(dim=1, keepdim=True))).sum(dim=1, keepdim=True) < 0
    return torch.relu(torch.where(against, -found, found)).reshape(-1, height, width).float()


def _strongest(gram: torch.Tensor) -> torch.Tensor:
    """Gram matrices (M, P, P) -> root of the largest value times its direction (M, P), of either sign.

    A matrix that is squared again and again becomes its first direction's alone; all of a chunk are squared together.
    Where two directions are so alike that they do not part, the matrix is decomposed.
    """
    size = gram.diagonal(dim1=1, dim2=2).sum(dim=1)
    power = gram / size.clamp(min=TINY)[:, None, None]
    for _ in range(SQUARINGS):
        alone = power.square().sum(dim=(1, 2)) > ALONE
        if alone.all():
            break
        power = power @ power
        power = power / power.diagonal(dim1=1, dim2=2).sum(dim=1).clamp(min=TINY)[:, None, None]
    best = power.diagonal(dim1=1, dim2=2).argmax(dim=1)
    direction = power[torch.arange(len(power)), :, best]
    direction = direction / direction.norm(dim=1, keepdim=True).clamp(min=TINY)
    value = torch.einsum("mp,mpq,mq->m", direction, gram, direction)
    found = direction * value.clamp(min=0).sqrt()[:, None]
    for row in torch.nonzero(~alone).flatten().tolist():
        values, directions = torch.linalg.eigh(gram[row].double())
        found[row] = (directions[:, -1] * values[-1].clamp(min=0).sqrt()).to(found)
    return found
