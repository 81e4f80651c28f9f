"""Tables that a system flattened to one line: what the lexicon names × values × separators × orders, drawn by a seed.

Belongs here: what is drawn, and what may be read of it. Does not belong here: the check (``test_never_open`` and its
benchmark).
"""

from __future__ import annotations

import random
from collections.abc import Collection, Iterator
from typing import NamedTuple

from radia_pipeline_tests.reports.denials import findings

DENIED = (
    "non", "Non", "NON", "aucun", "aucune", "absent", "absente", "absence", "Ø", "-", "0", "(-)", "négatif", "nég",
    "nul", "RAS", "néant", "no", "☐", "[ ]", "N",
)  # fmt: skip
AFFIRMED = ("oui", "Oui", "OUI", "présent", "présente", "+", "(+)", "x", "☒", "☑", "[x]")
UNKNOWN = ("1", "2", "O", "NA", "n/a", "ND", "?", "à préciser", "cf. TDM", "K", "non évaluable")
"""Values that answer neither yes nor no."""
NO_WORDS = ("non", "Non", "NON", "aucun", "aucune", "absent", "absente", "0")
IN_PROSE = (NO_WORDS, NO_WORDS, ("oui", "Oui", "OUI", "présent", "présente"), ("NA", "ND", "n/a", "non évaluable"))
PROSE = {", ": (", ", "; ", "\n"), " ": (" ", "  ", " | ", " ; ", " / ", "\n", "\t")}
"""Separators of sentences, with what stands between two pairs then: values are words."""
TO_VALUE = (
    " | ", "|", " : ", ": ", " :", " / ", "/", " ; ", "; ", "\t", " > ", ">", " = ", "=", " … ", " ..... ", "........",
    " -> ", " → ", " – ", " - ", ", ", " ",
)  # fmt: skip
"""Between a label and its value."""
APART = (" ", "  ", " | ", " || ", " ; ", ", ", " / ", "\t", ". ", "\n", " \n")
"""Between two pairs; beside these, what stands between a label and its value."""
PLACES = (*[""] * 12, " LSD", " base G", " D", " gauche", " du lobe moyen", " apex droit")
"""Behind a label."""
HEADERS = (
    "",
    "",
    "",
    "Signe | Présence | ",
    "Constatations : ",
    "Élément\tValeur\t",
    "RAPPORT : ",
    "Lésion | oui/non ",
)
OTHERS = ("Rotation", "Inspiration", "Scoliose", "Sonde")
"""Labels that are no finding with a class."""


class Table(NamedTuple):
    """A text, the classes that it denies, those that it affirms and those with a value that answers nothing."""

    text: str
    denied: frozenset[str]
    affirmed: frozenset[str]
    unknown: frozenset[str]

    def opened(self, labels: dict[str, int]) -> bool:
        """Say whether something that is denied, or has no value, is read as present."""
        return any(labels.get(name) == 1 for name in (self.denied | self.unknown) - self.affirmed)

    def ran_on(self, labels: dict[str, int]) -> bool:
        """Say whether something that is affirmed, or has no value, is read as denied."""
        return any(labels.get(name) == 0 for name in (self.affirmed | self.unknown) - self.denied)


def tables(seed: int, samples: int) -> Iterator[Table]:
    """Yield flattened tables of two to five pairs, one separator and one kind of values each."""
    draw, nouns = random.Random(seed), findings()
    for _ in range(samples):
        to_value = draw.choice(TO_VALUE)
        is_prose = to_value in PROSE
        apart = draw.choice(PROSE[to_value] if is_prose else (*APART, to_value, to_value))
        values = [draw.choice(choices) for choices in (IN_PROSE if is_prose else (DENIED, DENIED, AFFIRMED, UNKNOWN))]
        is_before = draw.random() < 0.15 and to_value.strip() not in ("", ":", ",")
        if to_value.strip() in ("-", "–", ">", "->"):
            values = [value for value in values if value != "-"] * 2  # "- -" and "->" are no values
        if is_before:
            values = [
                value for value in values if value not in ("O", "N", "1", "2", "K")
            ] * 2  # bullets and numbers of a list
        said: dict[str, set[str]] = {"denied": set(), "affirmed": set(), "unknown": set()}
        pairs: list[str] = []
        values_of: list[tuple[str, Collection[str]]] = []
        for _ in range(draw.randint(2, 5)):
            value = draw.choice(values if draw.random() < 0.6 else values[:2])
            label, classes = (draw.choice(OTHERS), ()) if draw.random() < 0.1 else draw.choice(nouns)
            label = draw.choice((str, str.capitalize, str.upper))(label) + (draw.choice(PLACES) if classes else "")
            values_of.append((value, classes))
            pairs.append(f"{value}{to_value}{label}" if is_before else f"{label}{to_value}{value}")
        is_coded = {"N", "O"} <= {value for value, _ in values_of}  # N is no and O yes where both stand
        for value, classes in values_of:
            is_yes = value in AFFIRMED or (is_coded and value == "O")
            said["denied" if value in DENIED else "affirmed" if is_yes else "unknown"].update(classes)
        text = (
            draw.choice(HEADERS)
            + apart.join(pairs)
            + draw.choice(("", "", ".", to_value.rstrip() if apart == to_value else ""))
        )
        yield Table(text, *(frozenset(said[kind]) for kind in ("denied", "affirmed", "unknown")))
