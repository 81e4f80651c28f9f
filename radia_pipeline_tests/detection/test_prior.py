"""What the ensemble forbids a detector to show: classes that it holds unlikely, and all on a film it calls normal."""

from __future__ import annotations

import numpy as np

from radia_pipeline.contracts.vocabulary import vocabulary
from radia_pipeline.detection.prior import POSSIBLE_SHARE, Prior, possible

CLASSES = ("Mass", "Cardiomegaly")
CUTS = np.full(len(vocabulary().classes), 0.4)


def said(normal: float = 0.1, **classes: float) -> np.ndarray:
    """Probabilities of a study: of these classes, of No Finding, .5 of the others."""
    row = np.full(len(vocabulary().classes), 0.5)
    for name, value in {vocabulary().no_finding: normal, **classes}.items():
        row[vocabulary().index(name)] = value
    return row


def test_a_class_far_below_its_threshold_is_forbidden_and_no_other():
    edge = POSSIBLE_SHARE * 0.4
    rows = np.stack([said(Mass=edge - 1e-9), said(Mass=edge), said(Cardiomegaly=0.0)])
    assert possible(rows, CUTS, CLASSES).tolist() == [[False, True], [True, True], [True, False]]


def test_a_study_that_is_called_normal_shows_nothing():
    rows = np.stack([said(normal=0.4), said(normal=0.39)])
    assert possible(rows, CUTS, CLASSES).tolist() == [[False, False], [True, True]]


def test_what_is_not_known_forbids_nothing():
    none = np.full(len(CUTS), np.nan)
    assert possible(said(Mass=0.0, normal=1.0)[None], none, CLASSES).all()
    unknown = said(Mass=np.nan, normal=np.nan)
    prior = Prior({"a": said(Mass=0.0), "b": unknown}, CUTS)
    assert prior.possible(["a", "b", "of another pool"], CLASSES).tolist() == [
        [False, True],
        [True, True],
        [True, True],
    ]
    assert prior.of(["b"], CLASSES)[0, 0] == 0.0  # as a weight it is the others' median
