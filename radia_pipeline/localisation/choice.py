"""How a recipe draws boxes: its method, where its maps are cut, how large findings are; kept in ``saliency_benchmark``.

The defaults hold unless validation's boxes surely say otherwise: a handful of boxes tells no methods apart. Not here:
judging (``benchmark``).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field

from radia_pipeline.lake.lake import Lake
from radia_pipeline.localisation.average_precision import MEAN, Reference
from radia_pipeline.localisation.boxes import DEFAULT_THRESHOLD_SHARE, Boxes, CutRules
from radia_pipeline.localisation.extents import Extent
from radia_pipeline.localisation.paired import difference, is_surely_better

DEFAULT_METHOD = "stagecam"
SHARES = (0.3, 0.4, 0.5, 0.6, 0.7)
CHOICE_IOU = 0.3
MIN_CLASS_BOXES = 20  # of validation, from which a class may be cut elsewhere than the others
GATE_SHARE = 0.5  # of the class's decision threshold: boxes of unlikely classes rank low, but are drawn
DRAWN = "drawn boxes of train"
"""In place of a method: the rows that say how large boxes are."""
SHARE, VOTE, OVER_DEFAULT = "threshold_share", "vote", "map@0.3 over default"
_EXTENT = "extent: "


@dataclass(frozen=True)
class Choice:
    """One method and where its maps are cut, per class with ``mean`` for the others; ``extents``: sizes of the lake's
    own drawn boxes."""

    method: str = DEFAULT_METHOD
    shares: Mapping[str, float] = field(default_factory=lambda: {MEAN: DEFAULT_THRESHOLD_SHARE})
    extents: Mapping[str, Extent] = field(default_factory=dict)

    def rules(self, name: str) -> CutRules:
        """Return how a class's maps are cut."""
        return CutRules(self.shares.get(name, self.shares[MEAN]), extents=self.extents)


def surely_best_method(
    at_default: Mapping[str, Boxes], reference: Reference
) -> tuple[str, dict[str, tuple[float, float, float]]]:
    """Return the method that votes, and each one's {method: (value, low, high)} over the default.

    ``at_default``: boxes of each method that has a vote. The default unless another is surely better, by the paired
    interval at as many tries.
    """
    default = DEFAULT_METHOD if DEFAULT_METHOD in at_default else next(iter(at_default))
    found = {
        name: difference(boxes, at_default[default], reference, CHOICE_IOU)
        for name, boxes in at_default.items()
        if name != default
    }
    better = [name for name, one in found.items() if is_surely_better(one, len(found))]
    figures = {name: (one.value, one.low, one.high) for name, one in found.items() if one is not None}
    return max(better, key=lambda name: figures[name][0]) if better else default, figures


def sure_shares(at: Mapping[float, Boxes], reference: Reference) -> dict[str, float]:
    """Return where maps are cut: under ``mean`` for all, and for those classes that surely fare better elsewhere."""
    common = _sure_share(at, reference, None, DEFAULT_THRESHOLD_SHARE)
    labels, chosen = reference.boxes.label, {MEAN: common}
    for name in sorted(set(labels)):
        if (labels == name).sum() >= MIN_CLASS_BOXES:
            share = _sure_share(at, reference, [name], common)
            if share != common:
                chosen[name] = share
    return chosen


def _sure_share(
    at: Mapping[float, Boxes], reference: Reference, classes: Sequence[str] | None, default: float
) -> float:
    found = {
        share: difference(boxes, at[default], reference, CHOICE_IOU, classes)
        for share, boxes in at.items()
        if share != default
    }
    better = {share: one.value for share, one in found.items() if one is not None and is_surely_better(one, len(found))}
    return max(better, key=better.__getitem__) if better else default


def extent_facts(extents: Mapping[str, Extent]) -> Iterator[tuple[str, str, float]]:
    """Yield (class, metric, value) of a lake's own sizes, as the table keeps them."""
    for name, one in extents.items():
        for part, value in asdict(one).items():
            yield name, _EXTENT + part, value


def read_choice(lake: Lake, recipe: str) -> Choice:
    """Read what the benchmark chose for a recipe; the defaults where it has no rows or has not run."""
    if not lake.exists("saliency_benchmark"):
        return Choice()
    rows = [row for row in lake.read("saliency_benchmark").to_pylist() if row["recipe"] == recipe]
    method = next((row["method"] for row in rows if row["metric"] == VOTE and row["value"]), None)
    if method is None:
        return Choice()
    cuts = {row["class"]: row["value"] for row in rows if (row["method"], row["metric"]) == (method, SHARE)}
    sizes: dict[str, dict[str, float]] = {}
    for row in rows:
        if row["method"] == DRAWN and row["metric"].startswith(_EXTENT):
            sizes.setdefault(row["class"], {})[row["metric"].removeprefix(_EXTENT)] = row["value"]
    return Choice(method, cuts, {name: Extent(**one) for name, one in sizes.items()})
