"""The phrase tree as it is asked: which phrase is the longest that begins at a word, found once and remembered.

Belongs here: the longest phrase, words that may stand inside one, and a bounded memory of both. Does not belong here:
which phrases there are (``rules``), and what follows from one (``scan``).
"""

from __future__ import annotations

from collections.abc import Mapping

from radia_pipeline.reports.kinds import Leaf

LEAF = -1
"""Key under which a phrase tree node keeps the rule that ends there; symbols are never negative."""
NOTHING = -2
"""Stands for the word behind the last; no word has this number, and nothing in the phrase tree."""
_LONGEST_SKIP = 3
"""Modifiers allowed between two words of a phrase: "hernie [volumineuse] hiatale"."""
LIMIT = 200_000
"""Pairs of words remembered before the memory is dropped: some 20 MB."""

Found = Leaf | tuple[Leaf, int] | None
"""A phrase of one word; (phrase, tokens and separators behind its first word); nothing."""


class Heads:
    """``of``: what begins with each word, by its number: a phrase of it alone, the head of longer ones, nothing.
    ``count``: pairs of words that are remembered."""

    def __init__(
        self,
        solo: Mapping[int, Leaf],
        tree: Mapping[int, dict],
        modifiers: frozenset[int],
        unbroken: frozenset[int],
        end: int,
    ) -> None:
        """Ask ``solo`` or ``tree`` for every word below ``end``; no ``modifiers`` stand inside a phrase that begins
        with one of ``unbroken``."""
        self.of: list[Leaf | Head | None] = []
        self.modifiers, self.count = modifiers, 0
        for symbol in range(end):
            node, skipped = tree.get(symbol), _LONGEST_SKIP if symbol in unbroken else 0
            self.of.append(solo.get(symbol) if node is None else Head(self, node, node.get(LEAF), skipped, 0))

    def remember(self) -> None:
        """Count one more pair; drop all at ``LIMIT``."""
        self.count += 1
        if self.count > LIMIT:
            self.forget()

    def forget(self) -> None:
        """Forget what was asked, as where the tree has changed."""
        self.count = 0
        for head in self.of:
            if head.__class__ is Head:
                head.clear()
                head.found = head.node.get(LEAF)


class Head(dict[int, "Head | Found"]):
    """The words of a phrase so far: the number of the next word (or NOTHING) -> the longer head, or the longest phrase
    where none goes on so, as far as it was asked. ``found``: the longest so far."""

    __slots__ = ("_ahead", "_heads", "_skipped", "found", "node")

    def __init__(self, heads: Heads, node: dict, found: Found, skipped: int, ahead: int) -> None:
        """``ahead``: tokens and separators behind the first word; ``skipped``: modifiers between."""
        super().__init__()
        self._heads, self.node, self.found, self._skipped, self._ahead = heads, node, found, skipped, ahead

    def __missing__(self, following: int) -> Head | Found:
        """Ask what the next word makes of it, and remember that."""
        said = self._with(following)
        self._heads.remember()
        self[following] = said
        return said

    def _with(self, following: int) -> Head | Found:
        child, ahead = self.node.get(following), self._ahead + 2
        if child is not None:
            leaf = child.get(LEAF)
            found = self.found if leaf is None else (leaf, ahead)
            ends = len(child) == (leaf is not None)
            return found if ends else Head(self._heads, child, found, self._skipped, ahead)
        ends = self._skipped == _LONGEST_SKIP or following not in self._heads.modifiers
        return self.found if ends else Head(self._heads, self.node, self.found, self._skipped + 1, ahead)
