"""Words as letters: folding of accents and case, and how many typing errors lie between two words.

Belongs here: what holds for any language in Latin letters. Does not belong here: any word (``french.yaml``, and the
reports' own ``reports/french``), and what a word means.
"""

from __future__ import annotations

import unicodedata
from functools import lru_cache

_LIGATURES = str.maketrans({"œ": "oe", "æ": "ae"})


@lru_cache(maxsize=1 << 16)
def fold(word: str) -> str:
    """Return a word without accents, ligatures and case: "Œdème" -> "oedeme"."""
    if word.isascii():
        return word.lower()
    letters = unicodedata.normalize("NFKD", word.casefold().translate(_LIGATURES))
    return "".join(c for c in letters if not unicodedata.combining(c))


def edit_distance(a: str, b: str, *, swaps: bool = True) -> int:
    """Return how many letters to insert, delete or change make ``b`` of ``a``.

    ``swaps``: two neighbours that changed places count one (optimal string alignment), not two (Levenshtein).
    """
    before: list[int] = []
    last = list(range(len(b) + 1))
    for i, ca in enumerate(a, 1):
        row = [i]
        for j, cb in enumerate(b, 1):
            cost = min(last[j] + 1, row[j - 1] + 1, last[j - 1] + (ca != cb))
            if swaps and i > 1 and j > 1 and ca == b[j - 2] and a[i - 2] == cb:
                cost = min(cost, before[j - 2] + 1)
            row.append(cost)
        before, last = last, row
    return last[-1]
