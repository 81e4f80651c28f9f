"""What the gate looks at, and what it says: a case of one or two ensembles, and verdicts on it.

Not here: the rules (``gate_rules``), gathering a case and publishing verdicts (``gate``).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

import numpy as np

from radia_pipeline.evaluation.intervals import Interval
from radia_pipeline.evaluation.judged import Judged
from radia_pipeline.evaluation.panel import Panel
from radia_pipeline.evaluation.study_facts import Study


@dataclass(frozen=True)
class Verdict:
    """One row of ``gate_verdicts``. ``found``: what decides, with its interval, against ``bound``. ``studies_needed``:
    of what refuses because too few studies can tell, how many would."""

    rule: str
    subject: str
    outcome: str
    measure: str
    detail: str
    found: Interval = field(default_factory=lambda: Interval(np.nan, np.nan, np.nan, 0, 0))
    bound: float | None = None
    challenger: float | None = None
    champion: float | None = None
    patients: int = 0
    studies_needed: int | None = None


@dataclass(frozen=True)
class Side:
    """An ensemble on validation. ``judged``: everything that is fitted comes from other patients."""

    judged: Judged
    images_per_second: float


@dataclass(frozen=True)
class TruthOfReadings:
    """The reading sets of the test pool with studies of the hospital. ``complete``: the one that judges, or None.

    ``studies``, ``cells``: of the complete one; ``classes``: those with a figure on it. ``simulated``: simulated
    readers had a part in it; ``ignored``: readings of such readers that this lake does not count. ``is_demo``: the lake
    holds invented or public data only.
    """

    complete: str | None = None
    studies: int = 0
    cells: int = 0
    classes: int = 0
    positives: int = 0
    open_sets: int = 0
    is_simulated: bool = False
    ignored: int = 0
    is_demo: bool = False


@dataclass(frozen=True)
class Case:
    """All that the rules look at. ``published``: what the challenger says of each pool, as it was published.

    ``facts``: {attribute: {study: its strata}}. ``champion``: on the same studies, None where there is none. ``test``:
    the challenger, then the champion where it is kept, on the test pool, as each was released; ``held``: the same two
    on the held splits of each pool, which are in no other figure.
    """

    challenger: Side
    champion: Side | None
    published: Mapping[str, Panel]
    facts: Mapping[str, Mapping[Study, tuple[str, ...]]]
    truth: TruthOfReadings
    is_released: bool
    test: tuple[Judged, ...] = ()
    held: Mapping[str, tuple[Judged, ...]] = field(default_factory=dict)


Rule = Callable[[Case], Iterator[Verdict]]
"""A case → its verdicts."""


def signed(value: float) -> str:
    """Return a number as verdicts show it, with its sign."""
    return f"{'−' if value < 0 else '+'}{abs(value):.3f}"
