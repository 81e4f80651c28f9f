"""Typing errors: the nearest known word, found without a scan over the lexicon.

Belongs here: distances and their bounds. Does not belong here: which words may be misspelt (the language's files).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from radia_pipeline.privacy.letters import edit_distance

SHORTEST_TYPO = 6
"""Words below six letters have too many real neighbours ("masse", "passe") to be corrected."""
LONG_WORD = 9
"""From nine letters on, two edits are allowed; below, one."""
LONGEST_TYPO = 24
"""Longer tokens are no words; their deletions would cost more than they could tell."""


class Typos:
    """Nearest known word by bounded edit distance, found through shared deletions.

    ``targets``: folded words that may be misspelt, with the edits allowed at most; other endings count too where their
    stem is known. ``real``: folded words that exist and are never corrected. ``rules``: stem -> rule of a word that is
    a form by itself, None for other known stems; two such words of one rule are as good as one.
    """

    def __init__(
        self,
        targets: Mapping[str, int],
        real: Iterable[str],
        rules: Mapping[str, str | None],
        stem: Callable[[str], str],
        plurals: Callable[[str], tuple[str, ...]],
    ) -> None:
        self._stem, self._rules = stem, rules
        self._real = {stem(w) for w in real}
        self._edits: dict[str, int] = {}
        self._index: dict[str, list[str]] = {}
        for word in sorted(targets):
            for form in (word, *plurals(word)):
                if len(form) >= SHORTEST_TYPO and form not in self._edits and stem(form) in rules:
                    self._add(form, min(_edits(form), targets[word]))

    def _add(self, form: str, edits: int) -> None:
        self._edits[form] = edits
        for key in _deletions(form, edits):
            self._index.setdefault(key, []).append(form)

    def is_real(self, word: str) -> bool:
        """Say whether a folded word exists and is never corrected."""
        return self._stem(word) in self._real

    def nearest(self, word: str, edits: int = 2) -> str | None:
        """Return the one closest target within the bound, None when there is none or when two are equally close."""
        if len(word) < SHORTEST_TYPO - 1 or len(word) > LONGEST_TYPO or self.is_real(word):
            return None
        most = min(edits, _edits(word))
        candidates = {w for key in _deletions(word, most) for w in self._index.get(key, ())}
        best: list[tuple[int, str]] = sorted((edit_distance(word, w), w) for w in candidates)
        best = [(d, w) for d, w in best if d <= min(self._edits[w], most) and _plausible(word, w, d)]
        stems = {self._stem(w) for d, w in best if d == best[0][0]}
        if len(stems) > 1 and len({self._rules[s] or s for s in stems}) > 1:
            return None
        return best[0][1] if best else None


def slips_of(word: str) -> set[str]:
    """Return ``word`` with two neighbours swapped or one letter doubled, the first letter kept."""
    swapped = {word[:i] + word[i + 1] + word[i] + word[i + 2 :] for i in range(1, len(word) - 1)}
    return (swapped | {word[:i] + word[i - 1 :] for i in range(1, len(word) + 1)}) - {word}


def _deletions(word: str, edits: int) -> set[str]:
    """Return ``word`` and all strings made by deleting up to ``edits`` letters."""
    found, frontier = {word}, {word}
    for _ in range(edits):
        frontier = {w[:i] + w[i + 1 :] for w in frontier for i in range(len(w))}
        found |= frontier
    return found


def _edits(word: str) -> int:
    return 2 if len(word) >= LONG_WORD else 1


def _plausible(word: str, target: str, distance: int) -> bool:
    """Two edits must leave the first letter alone: another first letter is usually another word."""
    return distance < 2 or word[0] == target[0]
