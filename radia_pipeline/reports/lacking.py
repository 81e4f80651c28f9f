"""A labeler that can lack one form at a time: what the other forms make of its words.

Belongs here: taking a form out of the phrase tree and putting it back. Does not belong here: which sentences show the
difference (``examples``). Words stay known, so that nothing but the phrase is missing.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

from radia_pipeline.reports.engine import Labeler
from radia_pipeline.reports.kinds import KIND, Leaf
from radia_pipeline.reports.phrases import LEAF
from radia_pipeline.reports.rules import Rulebook

Path = tuple[int | None, ...]
Owner = tuple[str, str]
"""(rule, form); ("modifier", "") for a word that describes where no form claims it."""


class Lacking:
    """Reads with a copy of a rulebook's phrase tree, from which ``without`` takes one form."""

    def __init__(self, book: Rulebook) -> None:
        self._book = book
        self._tree = _copy({**book.tree, **{symbol: {LEAF: leaf} for symbol, leaf in book.solo.items()}})
        self.labeler = Labeler(replace(book, tree=self._tree, solo={}))
        self._claims: dict[Path, list[tuple[Owner, Leaf]]] = {}
        self._paths: dict[Owner, list[Path]] = {}
        for rule in book.rules.values():
            for form in rule.forms:
                self._claim((rule.id, form), rule.leaf)
        for symbol in book.words.modifiers:
            claimed = self._claims.setdefault((symbol,), [])
            claimed.append((("modifier", ""), Leaf(KIND["modifier"], "modifier")))

    def _claim(self, owner: Owner, leaf: Leaf) -> None:
        spelt = self._book.forms.expand(owner[1])
        paths = self._paths[owner] = list(dict.fromkeys(tuple(map(self._book.table.written, words)) for words in spelt))
        for path in paths:
            self._claims.setdefault(path, []).append((owner, leaf))

    @contextmanager
    def without(self, rule: str, form: str) -> Iterator[Labeler]:
        """Yield the labeler while ``form`` is missing; what a later form claims too is that form's then."""
        owner, taken = (rule, form), []
        for path in self._paths[owner]:
            claims = self._claims[path]
            if not path or claims[0][0] != owner:
                continue
            node = self._node(path)
            taken.append((node, node[LEAF]))
            heir = next((leaf for other, leaf in claims if other != owner), None)
            if heir is None:
                del node[LEAF]
            else:
                node[LEAF] = heir
        labeler = self.labeler
        if self._book.rules[rule].kind == "none_after":  # such a word also denies behind a colon, whoever claims it
            none = labeler.book.words.none - {path[0] for path in self._paths[owner]}
            labeler = Labeler(replace(labeler.book, words=replace(labeler.book.words, none=none)))
        forget = self.labeler.book.forget  # what was read by another tree
        forget()
        try:
            yield labeler
        finally:
            for node, leaf in reversed(taken):
                node[LEAF] = leaf
            forget()

    def _node(self, path: Path) -> dict:
        node = self._tree
        for symbol in path:
            node = node[symbol]
        return node


def _copy(tree: dict) -> dict:
    return {key: _copy(child) if isinstance(child, dict) else child for key, child in tree.items()}
