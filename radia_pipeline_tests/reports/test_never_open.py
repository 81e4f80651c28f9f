"""Never fall open: whatever the layout, a finding that is denied is never read as present."""

from __future__ import annotations

import pytest

from radia_pipeline.reports.engine import Labeler
from radia_pipeline_tests.reports.denials import denied, drawn, findings
from radia_pipeline_tests.reports.templates import FINDINGS

SEED, SAMPLES = 20261129, 6_000
TITLES = ("", "PLÈVRE: ", "Poumons : ", "Rapport: ", "COEUR ET MÉDIASTIN: ", "Conclusion : ")
PROSE = (
    "Aucun {f}", "Aucun signe {de}", "Pas {de}", "Absence {de}", "Il n'y a pas {de}", "On ne voit pas {de}", "Sans {f}",
)  # fmt: skip


def test_a_denied_finding_is_never_present():
    """All that the lexicon names is drawn, in forms of denial and layouts of every kind."""
    read = Labeler.default().read
    assert len(findings()) > 800
    opened = []
    for text, classes in drawn(SEED, SAMPLES):
        labels = read(text).labels
        if any(labels.get(name) == 1 for name in classes):
            opened.append(text)
    assert not opened, f"{len(opened)} of {SAMPLES} fell open (seed {SEED}): {opened[:10]}"


@pytest.mark.parametrize("title", TITLES)
@pytest.mark.parametrize("case", [str, str.upper, str.lower], ids=["mixed", "capitals", "small"])
def test_a_denial_goes_on_over_a_line_that_wraps(title, case):
    read = Labeler.default().read
    opened = []
    for noun, _, name in FINDINGS:
        for form in PROSE:
            words = f"{title}{denied(form, noun)}. Hiles sans particularité.".split(" ")
            for at in range(1, len(words) - 3):
                text = case(" ".join(words[:at]) + "\n" + " ".join(words[at:]))
                if read(text).labels.get(name) == 1:
                    opened.append(text)
    assert opened == []
