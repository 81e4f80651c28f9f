"""What the gate asks, in words and numbers: its rules, its bounds, its outcomes. Light: it imports nothing.

Not here: how a rule judges (``gate_rules``).
"""

from __future__ import annotations

PASSED, REFUSED, NOT_JUDGED = "passed", "refused", "not judged"
LEAST_DIFFERENCE = -0.01
"""Above which the lower end of the difference of mean AUC, and of mean F1, must lie."""
LEAST_IN_SUBGROUPS = -0.03
"""Not below which that of a subgroup's mean AUC may lie; it is wider, for a subgroup is smaller."""
SUBGROUP_POSITIVES = 30
"""Positive studies, and negative ones, of a class under which it is not judged in a subgroup."""
LEAST_AUC = 0.7
"""Of a first champion: under it discrimination is called poor (Hosmer & Lemeshow 2000)."""
CHANCE = 0.5
LEAST_PACE = 0.8
"""Share of the champion's images a second."""
LEAST_IMAGES_PER_SECOND = 1 / 15
"""Of a first champion: the 15 seconds that radiologists have for an image."""

WORDS = {
    "release": "It was scored on the test pool, once, by a release.",
    "mean_auc": "Mean AUC on validation, beside the champion's.",
    "mean_f1": "Mean F1 on validation, beside the champion's.",
    "subgroups": f"Mean AUC in every subgroup, over classes with {SUBGROUP_POSITIVES} positive studies there.",
    "coherence": "No class stands above one of its parents.",
    "calibration": "Slope of labels on log odds holds 1 in every class.",
    "speed": "Images a second beside the champion, in one run.",
    "truth": "A closed reading set of the hospital's test pool was read to its end.",
    "readers": "No simulated reader made that truth, but in a demonstration.",
    "expert_sets": "Not surely worse where radiologists labelled studies, on validation and on the released test pool.",
}
"""What each rule asks, for pages and checks."""
