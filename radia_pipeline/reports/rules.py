"""The rulebook: a language's files compiled to a word table, a phrase tree, word sets and section titles.

Belongs here: how a rule is found. Does not belong here: how it is written (``forms``), what it does to a sentence
(``kinds``, ``sentence``), and the words themselves (the language's files).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from functools import cached_property, lru_cache
from typing import Any

from radia_pipeline.errors import BadInput
from radia_pipeline.reports.forms import Forms
from radia_pipeline.reports.kinds import KIND, TRAITS, Leaf, kinds
from radia_pipeline.reports.language import FILES, Language, Signs, Words
from radia_pipeline.reports.layout.marks import Marks
from radia_pipeline.reports.phrases import LEAF, Heads
from radia_pipeline.reports.statements import Memory
from radia_pipeline.reports.typos import SHORTEST_TYPO, Typos, slips_of
from radia_pipeline.reports.words import FIRST_WORD, WordTable, plain, written_symbol

_CORRECTED = kinds("finding fixed_finding anatomy quality")
"""Kinds whose words are corrected from six letters, and by two edits where they are long."""


@dataclass(frozen=True)
class Rule:
    """One rule of the files. ``forms`` as written (see ``forms``); its sentences stand in ``examples``."""

    id: str
    kind: str
    forms: tuple[str, ...]
    reason: str
    classes: tuple[str, ...] = ()
    value: Any = None
    after: tuple[str, ...] = ()
    traits: tuple[str, ...] = ()
    other: bool = False

    @classmethod
    def of(cls, entry: Mapping[str, Any]) -> Rule:
        """Return the rule of one YAML entry; raises BadInput where it names what the reader does not know."""
        name = entry.get("id")
        unknown = set(entry) - {field.name for field in fields(cls)}
        for said, known, what in (
            (unknown, [field.name for field in fields(cls)], "keys"),
            ({entry.get("kind")} - set(KIND), KIND, "a kind"),
            (set(entry.get("traits", ())) - set(TRAITS), TRAITS, "traits"),
        ):
            if said:
                raise BadInput(f"The rule {name} has {what} unknown to the reader", accepted=", ".join(known))
        given: dict[str, Any] = {key: tuple(one) if isinstance(one, list) else one for key, one in entry.items()}
        return cls(**given)

    @property
    def leaf(self) -> Leaf:
        """What a phrase of this rule stands for."""
        kind = "other" if self.kind == "excluded" and self.other else self.kind
        return Leaf(KIND[kind], self.id, self.classes, self.value, frozenset(self.after), frozenset(self.traits))


@dataclass(frozen=True)
class Titles:
    """Titles of sections as symbols. ``section_of``: each title's section; ``bare``: those that need no colon;
    ``bare_ends``: those that need none at the end of their line; ``first``: with which words both begin; ``at_start``:
    those that are titles only at the start of a sentence."""

    section_of: Mapping[tuple[int, ...], str]
    bare: frozenset[tuple[int, ...]]
    bare_ends: frozenset[tuple[int, ...]]
    first: frozenset[int]
    at_start: frozenset[tuple[int, ...]]


@dataclass(frozen=True)
class Rulebook:
    """Everything that reading needs. ``solo``: symbols that are a phrase by themselves and begin no longer one;
    ``tree``: the others, symbol -> symbol -> … -> ``LEAF``; ``symbols``: stem -> symbol."""

    version: str
    rules: Mapping[str, Rule]
    forms: Forms
    table: WordTable
    symbols: Mapping[str, int]
    tree: Mapping[int, dict]
    solo: Mapping[int, Leaf]
    words: Words
    titles: Titles
    marks: Marks

    @cached_property
    def heads(self) -> Heads:
        """What begins with each word, by its number."""
        words, end = self.words, max(self.symbols.values()) + 1
        return Heads(self.solo, self.tree, words.modifiers, words.unbroken, end)

    @cached_property
    def statements(self) -> Memory:
        """Sentences that were read before."""
        return Memory()

    def forget(self) -> None:
        """Forget what was read, as where the phrase tree has changed."""
        self.statements.clear()
        self.heads.forget()

    def kind_of(self, symbol: int) -> int:
        """Return the kind of a word that is a phrase by itself, -1 for any other."""
        leaf = self.solo.get(symbol) or self.tree.get(symbol, {}).get(LEAF)
        return leaf.kind if leaf is not None else -1


@lru_cache(maxsize=4)
def rulebook(language: Language) -> Rulebook:
    """Return a language's files compiled, once per process; raises BadInput where they do not fit the interface."""
    lexicon, cues, sections, words = map(language.content, FILES)
    book = _Builder(language, Forms(words["macros"], words["sets"]))
    for entry in lexicon["rules"] + cues["rules"]:
        book.add_rule(Rule.of(entry))
    for attribute, forms in cues["remarks"].items():
        book.add_forms(forms, Leaf(KIND["remark"], f"remark.{attribute}", (), attribute))
    book.add_modifiers(words["word_sets"]["modifiers"])
    titles = _titles(book, sections)
    table = _word_table(book, words)
    solo = {symbol: node[LEAF] for symbol, node in book.tree.items() if len(node) == 1 and LEAF in node}
    tree = {symbol: node for symbol, node in book.tree.items() if symbol not in solo}
    word_sets = _word_sets(book, words["word_sets"])
    marks = Marks(Signs.of(words["signs"]))
    return Rulebook(language.version, book.rules, book.forms, table, book.symbols, tree, solo, word_sets, titles, marks)


def _titles(book: _Builder, sections: Mapping[str, Any]) -> Titles:
    section_of = {book.phrase(title): name for name, titles in sections["titles"].items() for title in titles}
    bare, ends, at_start = (
        frozenset(map(book.phrase, sections[key])) for key in ("bare_titles", "bare_ends", "titles_at_start")
    )
    return Titles(section_of, bare, ends, frozenset(title[0] for title in bare | ends), at_start)


def _word_sets(book: _Builder, listed: Mapping[str, Sequence[str]]) -> Words:
    wanted = {field.name for field in fields(Words)} - {"none"}
    if listed.keys() != wanted:
        differing = ", ".join(sorted(listed.keys() ^ wanted))
        raise BadInput(f"The lists under word_sets are not those of the reader: {differing}", accepted="each, once")
    return Words(none=frozenset(book.none), **{name: frozenset(map(book.symbol, ws)) for name, ws in listed.items()})


def _word_table(book: _Builder, words: Mapping[str, Any]) -> WordTable:
    """Return the table of words with what is known of typing errors."""
    stem = book.language.stem
    book.correct(words["corrected"], 1)
    real = set(map(plain, words["real_words"]))
    leaves = {w: book.tree.get(symbol, {}).get(LEAF) for w, symbol in book.symbols.items()}
    rules = {w: None if leaf is None else leaf.rule for w, leaf in leaves.items()}
    typos = Typos(book.targets, real, rules, stem, book.language.plurals)
    known = real | book.seen
    slips = {error: word for word in words["corrected_short"] for error in slips_of(word) if error not in known}
    for error, word in {**slips, **words["misspelt"]}.items():
        book.symbols.setdefault(stem(error), book.symbols[stem(word)])
    findings = frozenset(map(stem, book.targets))
    return WordTable(book.symbols, stem, typos, findings, frozenset(words["elided"]), words["nought"])


class _Builder:
    """Collects words and phrases; the first rule that claims a form keeps it."""

    def __init__(self, language: Language, forms: Forms) -> None:
        self.language, self.forms = language, forms
        self.symbols: dict[str, int] = {}
        self.tree: dict[int, dict] = {}
        self.rules: dict[str, Rule] = {}
        self.targets: dict[str, int] = {}
        self.seen: set[str] = set()
        self.none: set[int] = set()

    def symbol(self, word: str) -> int:
        """Return the number of a word, giving it one if it is new."""
        word, stem = plain(word), self.language.stem
        self.seen.add(word)
        symbol = written_symbol(word, self.symbols, stem)
        return self.symbols.setdefault(stem(word), FIRST_WORD + len(self.symbols)) if symbol is None else symbol

    def phrase(self, words: str) -> tuple[int, ...]:
        """Return the numbers of words apart by spaces."""
        return tuple(map(self.symbol, words.split()))

    def add_rule(self, rule: Rule) -> None:
        """Add a rule and its forms."""
        if rule.id in self.rules:
            raise BadInput(f"The rule {rule.id} is defined twice", accepted="each id once")
        self.rules[rule.id] = rule
        self.add_forms(rule.forms, rule.leaf)

    def add_forms(self, forms: Iterable[str], leaf: Leaf) -> None:
        """Grow the phrase tree by every expansion of the forms."""
        is_corrected = leaf.kind in _CORRECTED and "as_written" not in leaf.traits
        for words in (words for form in forms for words in self.forms.expand(form)):
            symbols = [self.symbol(w) for w in words]
            if is_corrected:
                self.correct(words, 2)
            if leaf.kind == KIND["none_after"] and len(symbols) == 1:
                self.none.add(symbols[0])
            node: dict = self.tree
            for s in symbols:
                node = node.setdefault(s, {})
            node.setdefault(LEAF, leaf)

    def add_modifiers(self, words: Iterable[str]) -> None:
        """Let words that are no phrase of a rule describe."""
        for symbol in sorted(set(map(self.symbol, words))):
            self.tree.setdefault(symbol, {}).setdefault(LEAF, Leaf(KIND["modifier"], "modifier"))

    def correct(self, words: Iterable[str], edits: int) -> None:
        """Let long words be matched when they are misspelt, by so many edits at most."""
        for word in map(plain, words):
            if len(word) >= SHORTEST_TYPO:
                self.targets[word] = max(edits, self.targets.get(word, 0))
