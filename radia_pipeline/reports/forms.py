"""How a rule's form is written: one line of YAML -> every sequence of words that it stands for.

Syntax: words apart by spaces; "a|b" = either, "x~" = optional, "_" joins words inside an alternative, a macro's name in
capitals = each of its alternatives, alone or before "_"; "$name" = a shared list. Does not belong here: what the words
are (the language's files), and how they are found (``rules``).
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from itertools import product

from radia_pipeline.reports.words import TOKEN, plain

_SET = re.compile(r"\$(\w+)")


class Forms:
    """Expands forms with one language's ``macros`` and ``sets``, both name -> alternatives."""

    def __init__(self, macros: Mapping[str, Sequence[str]], sets: Mapping[str, Sequence[str]]) -> None:
        self._macros = macros
        self._sets = {name: "|".join(entry.replace(" ", "_") for entry in entries) for name, entries in sets.items()}

    def expand(self, form: str) -> list[list[str]]:
        """Return every sequence of plain words that ``form`` stands for."""
        slots = []
        for part in _SET.sub(lambda match: self._sets[match[1]], form).split():
            choices = [_words(choice) for choice in self._alternatives(part.removesuffix("~"))]
            slots.append([*choices, []] if part.endswith("~") else choices)
        return [[word for piece in combination for word in piece] for combination in product(*slots)]

    def _alternatives(self, part: str) -> list[str]:
        found = []
        for choice in part.split("|"):
            name, _, rest = choice.partition("_")
            heads = self._macros.get(name, (name,))
            found += [f"{head}_{rest}" if rest else head for head in heads]
        return found


def _words(choice: str) -> list[str]:
    return [plain(token) for piece in choice.split("_") for token in TOKEN.findall(piece)]
