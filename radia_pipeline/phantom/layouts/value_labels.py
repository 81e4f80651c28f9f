"""Labels as CheXpert and MIMIC-CXR publish them: 1.0, 0.0, −1.0 or blank in one column per observation.

Both come from an automatic labeler of English reports: some findings are doubted, some absences stated, the rest blank.
"""

from __future__ import annotations

import numpy as np

from radia_pipeline.contracts.sheets import source_sheet
from radia_pipeline.contracts.vocabulary import vocabulary
from radia_pipeline.phantom.people import Study

DOUBTED = 0.07
DENIED = 0.12
DEVICES = 0.25
SUPPORT_DEVICES = "Support Devices"


def said_by_labeler(
    source: str, study: Study, rng: np.random.Generator, *, is_read_by_people: bool = False
) -> dict[str, int]:
    """Return the values of a study in the classes of the source's sheet; people leave no cell blank."""
    labels = source_sheet(source).labels
    words = vocabulary()
    present = set()
    for name in sorted(study.pathologies):
        # A nodule is published as a lung lesion: the nearest class that the source has.
        present.add(name if name in labels else next((p for p in words.ancestors(name) if p in labels), ""))
    present.discard("")
    said = {name: -1 if rng.random() < DOUBTED and not is_read_by_people else 1 for name in sorted(present)}
    above = {parent for name in present for parent in words.ancestors(name)}
    for name in labels:
        is_open = name not in said and name not in above and name != words.no_finding
        if is_open and (is_read_by_people or rng.random() < DENIED):
            said[name] = 0
    if is_read_by_people:
        said |= {name: 1 for name in above if name in labels}
    if not study.pathologies:
        said[words.no_finding] = 1
    elif is_read_by_people:
        said[words.no_finding] = 0
    return said


def cells(columns: list[str], said: dict[str, int], rng: np.random.Generator) -> list[str]:
    """Return a row's cells in the order of ``columns``; devices are drawn by chance and belong to no class."""
    values = {name: f"{value:.1f}" for name, value in said.items()}
    if rng.random() < DEVICES:
        values[SUPPORT_DEVICES] = "1.0"
    return [values.get(name, "") for name in columns]
