"""A recipe's model, or a whole ensemble, as one network: the views of a study -> probabilities. For export alone.

What numpy does with members' answers (rule, calibration, coherence) stands here again in torch, so that it can be
written as ONNX; tables by name, and a test holds both together. Not here: files (``network_files``).

Legend: B studies, V views, C channels, S side, M members, K classes, P parameters.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np
import torch
from torch import nn

from radia_pipeline.contracts.choices import Table
from radia_pipeline.contracts.vocabulary import vocabulary
from radia_pipeline.evaluation.calibration import KEPT_SLOPE, LOGIT_LIMIT
from radia_pipeline.evaluation.combinations import QUANTILES
from radia_pipeline.evaluation.ensemble import SINGLE, Ensemble
from radia_pipeline.training.models import Classifier
from radia_pipeline.training.recipe_schema import InputSection, ViewsSection
from radia_pipeline.training.views import combine_views

SLOTS: Mapping[str, Callable[[ViewsSection], int]] = {
    "frontal": lambda _: 1,
    "frontal_lateral": lambda _: 2,
    "all": lambda views: views.max_views,
}
"""Choice of views -> how many a network is fed."""


class StudyNetwork(nn.Module):
    """One model: images (B, V, C, S, S), present bool (B, V) -> probabilities (B, K), float64."""

    def __init__(self, classifier: Classifier) -> None:
        super().__init__()
        self.classifier = classifier

    @property
    def feed(self) -> tuple[InputSection, int]:
        """What its images are and how many views it takes; members with the same feed share one."""
        return self.classifier.input, SLOTS[self.classifier.views.use](self.classifier.views)

    def forward(self, images: torch.Tensor, present: torch.Tensor) -> torch.Tensor:
        """Every slot is computed and absent ones are left out of the combination."""
        logits = torch.stack([self.classifier.view_logits(images[:, v], v) for v in range(self.feed[1])], dim=1)
        return self.classifier.probabilities(combine_views(logits, present, self.classifier.views.combine))


class EnsembleNetwork(nn.Module):
    """Members and what makes one decision of them. ``feeds``: the inputs, each images and present, in order."""

    parameters_of_rule: torch.Tensor
    slope: torch.Tensor
    shift: torch.Tensor

    def __init__(self, members: Mapping[str, StudyNetwork], ensemble: Ensemble) -> None:
        super().__init__()
        self.rule, self.way = ensemble.rule, ensemble.way
        used = [members[name] for name in ensemble.used_members]
        self.members = nn.ModuleList(used)
        keys = [(member.feed[0].model_dump_json(), member.feed[1]) for member in used]
        self.feeds = list(dict.fromkeys(keys))
        self.places = [self.feeds.index(key) for key in keys]
        columns = [ensemble.members.index(name) for name in ensemble.used_members]
        self.register_buffer("parameters_of_rule", torch.from_numpy(_for_used(ensemble, columns)))
        fits = ensemble.calibrations
        self.register_buffer("slope", torch.tensor([fit.a for fit in fits], dtype=torch.float64))
        self.register_buffer("shift", torch.tensor([fit.b for fit in fits], dtype=torch.float64))
        self.stepped = [k for k, fit in enumerate(fits) if fit.knots]
        self.steps = [_table(fits[k].knots, fits[k].shares) for k in self.stepped]

    def forward(self, *inputs: torch.Tensor) -> torch.Tensor:
        """images, present of each feed in turn -> probabilities (B, K), float64."""
        said = [net(inputs[2 * at], inputs[2 * at + 1]) for net, at in zip(self.members, self.places)]
        return self.decide(torch.stack(said))

    def decide(self, said: torch.Tensor) -> torch.Tensor:
        """Used members' probabilities (M, B, K) -> calibrated, coherent ones (B, K)."""
        mixed = said[0] if self.rule.startswith(SINGLE) else RULES[self.rule](said, self.parameters_of_rule)
        logits = _logit(mixed)
        straight = self.slope * logits + self.shift
        columns = list(straight.unbind(dim=1))
        for k, table in zip(self.stepped, self.steps):
            share = _interpolated(logits[:, k], table.to(logits))
            columns[k] = _logit((1 - KEPT_SLOPE) * share + KEPT_SLOPE * torch.sigmoid(columns[k]))
        return _capped(torch.sigmoid(WAYS[self.way](torch.stack(columns, dim=1))))


def _for_used(ensemble: Ensemble, columns: list[int]) -> np.ndarray:
    """The rule's parameters (K, P) for the members that are there: those that weigh nothing are left out."""
    parameters, members = np.asarray(ensemble.combination.parameters, dtype=np.float64), len(ensemble.members)
    is_share = parameters.shape[1] == members and len(columns) < members
    return parameters[:, columns] if is_share else parameters


def _logit(probability: torch.Tensor) -> torch.Tensor:
    return (probability.log() - (1 - probability).log()).clamp(-LOGIT_LIMIT, LOGIT_LIMIT)


def _table(knots: Sequence[float] | np.ndarray, values: Sequence[float] | np.ndarray) -> torch.Tensor:
    return torch.stack([torch.as_tensor(np.asarray(part, dtype=np.float64)) for part in (knots, values)])


def _interpolated(at: torch.Tensor, table: torch.Tensor) -> torch.Tensor:
    """``np.interp`` at (B,) of knots and values (2, P), as a sum over the pieces; a piece of no width is a jump."""
    knots, values = table
    start, width, rise = knots[:-1], knots[1:] - knots[:-1], values[1:] - values[:-1]
    share = ((at[:, None] - start) / torch.where(width > 0, width, torch.ones_like(width))).clamp(0, 1)
    jump = (at[:, None] >= start).to(share.dtype)
    return values[0] + (torch.where(width > 0, share, jump) * rise).sum(dim=1)


def _mean_probability(said: torch.Tensor, _: torch.Tensor) -> torch.Tensor:
    return said.mean(dim=0)


def _mean_logit(said: torch.Tensor, _: torch.Tensor) -> torch.Tensor:
    return torch.sigmoid(_logit(said).mean(dim=0))


def _geometric_mean(said: torch.Tensor, _: torch.Tensor) -> torch.Tensor:
    return said.log().mean(dim=0).exp()


def _median(said: torch.Tensor, _: torch.Tensor) -> torch.Tensor:
    ordered, half = said.sort(dim=0).values, len(said) // 2
    return ordered[half] if len(said) % 2 else 0.5 * (ordered[half - 1] + ordered[half])


def _minimum(said: torch.Tensor, _: torch.Tensor) -> torch.Tensor:
    return said.amin(dim=0)


def _maximum(said: torch.Tensor, _: torch.Tensor) -> torch.Tensor:
    return said.amax(dim=0)


def _rank_mean(said: torch.Tensor, parameters: torch.Tensor) -> torch.Tensor:
    members, _, classes = said.shape
    knots, shares = parameters.reshape(classes, members, -1), torch.as_tensor(QUANTILES).to(said)
    ranks = [
        torch.stack([_interpolated(said[m, :, k], torch.stack([knots[k, m], shares])) for k in range(classes)], dim=1)
        for m in range(members)
    ]
    return torch.stack(ranks).mean(dim=0)


def _weighted_mean(said: torch.Tensor, parameters: torch.Tensor) -> torch.Tensor:
    return (said * parameters.T[:, None, :]).sum(dim=0)


def _stacked(said: torch.Tensor, parameters: torch.Tensor) -> torch.Tensor:
    return torch.sigmoid((_logit(said) * parameters[:, 1:].T[:, None, :]).sum(dim=0) + parameters[:, 0])


RULES = Table(
    "ensemble rule",
    {
        "mean_probability": _mean_probability,
        "mean_logit": _mean_logit,
        "geometric_mean": _geometric_mean,
        "median": _median,
        "minimum": _minimum,
        "maximum": _maximum,
        "rank_mean": _rank_mean,
        "greedy": _weighted_mean,
        "stacked_logistic": _stacked,
    },
)
"""Members' probabilities (M, B, K), parameters (K, P) -> (B, K): ``combinations.RULES`` in torch."""


def _family(of: Callable[[str], tuple[str, ...]]) -> list[list[int]]:
    words = vocabulary()
    return [[words.index(one) for one in (name, *of(name))] for name in words.classes]


def _capped(values: torch.Tensor) -> torch.Tensor:
    return torch.stack([values[:, members].amin(dim=1) for members in _family(vocabulary().ancestors)], dim=1)


def _raised(values: torch.Tensor) -> torch.Tensor:
    words = vocabulary()
    below = _family(lambda name: tuple(one for one in words.classes if name in words.ancestors(one)))
    return torch.stack([values[:, members].amax(dim=1) for members in below], dim=1)


def _met(values: torch.Tensor) -> torch.Tensor:
    return 0.5 * _raised(values) + 0.5 * _capped(values)


WAYS = Table("way to coherence", {"met": _met, "raised": _raised, "capped": _capped})
"""Logits or probabilities (B, K) -> coherent ones: ``coherence.WAYS`` in torch."""
