"""The rulebook: lexicon.yaml and cues.yaml compiled to a word table, a phrase tree and section titles.

Belongs here: how a rule is written and found. Does not belong here: what a rule does to a sentence (``sentence``)
and the words themselves (the YAML files, which a radiologist can review).
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import product
from pathlib import Path
from typing import Any, ClassVar, NamedTuple

import yaml

from radia_pipeline.reports.words import FIRST_WORD, SHORTEST_TYPO, TOKEN, Typos, WordTable, fold, slips_of, stem

HERE = Path(__file__).parent
_DATA = ("lexicon.yaml", "cues.yaml")
_VERSION = re.compile(rb'^version: "([^"]+)"', re.M)
_SET = re.compile(r"\$(\w+)")
"""A list of words that several forms share ("n est pas $seen"); the lists stand in cues.yaml."""
DE = "de|d|du|des|de_la|de_l|d_un|d_une|de_cette|de_ce|aux"
LEAF = -1
"""Key under which a phrase tree node keeps the rule that ends there; symbols are never negative."""

KINDS = (
    "finding",
    "fixed_finding",
    "fixed",
    "quality",
    "other",
    "anatomy",
    "device",
    "excluded",
    "normal",
    "clear",
    "free",
    "enlarged",
    "enlargement",
    "blunted",
    "limit",
    "deny",
    "nor",
    "not",
    "no_more",
    "ne",
    "deny_after",
    "none_after",
    "prior",
    "resolved",
    "resolved_after",
    "lessened",
    "partial",
    "complete",
    "change",
    "state",
    "hedge_near",
    "hedge_before",
    "hedge_verb",
    "hedge_after",
    "seem",
    "or",
    "exclude_word",
    "contrast",
    "link",
    "explain",
    "avec",
    "no_label",
    "other_exam",
    "advice",
    "imperative",
    "advice_subject",
    "advice_verb",
    "de",
    "article",
    "and",
    "verb",
    "punctuation",
    "filler",
    "modifier",
    "comma",
    "colon",
    "open",
    "close",
    "semicolon",
    "dash",
    "remark",
    "stop",
    "presence",
    "mimic",
    "at_wall",
    "same",
    "place",
    "showed",
)
KIND = {name: number for number, name in enumerate(KINDS)}
READABLE = frozenset(KIND[k] for k in ("finding", "fixed_finding", "fixed", "quality", "other", "anatomy"))


READS, SAYS_NORMAL, HAS_DEVICE, HAS_ADVICE = 1, 2, 4, 8
_BITS = {
    **{KIND[k]: SAYS_NORMAL for k in ("normal", "clear")},
    KIND["device"]: HAS_DEVICE,
    KIND["advice_verb"]: HAS_ADVICE,
}
BITS = tuple(READS if n in READABLE else _BITS.get(n, 0) for n in range(len(KINDS)))
"""What the presence of a kind means for its sentence, as flags."""


class Leaf(NamedTuple):
    """What a matched phrase stands for. ``value``: fixed status, punctuation or attribute; ``after``: see quality."""

    kind: int
    rule: str
    classes: tuple[str, ...] = ()
    value: Any = None
    after: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Rule:
    """One line of the YAML files with its examples: (text, {class: value})."""

    id: str
    kind: str
    forms: tuple[str, ...]
    reason: str
    fires: tuple[str, dict[str, int | None]]
    spares: tuple[str, dict[str, int | None]]
    classes: tuple[str, ...] = ()
    value: Any = None


@dataclass
class Rulebook:
    """Everything that reading needs, compiled once per process."""

    version: str
    rules: dict[str, Rule]
    table: WordTable
    tree: dict[int, dict]
    solo: dict[int, Leaf]
    modifiers: frozenset[int]
    abbreviations: frozenset[int]
    none_words: frozenset[int]
    titles: dict[tuple[int, ...], str]
    bare_titles: frozenset[tuple[int, ...]]
    bare_ends: frozenset[tuple[int, ...]]
    bare_first: frozenset[int]
    indication_words: frozenset[int]
    word_sets: dict[str, frozenset[int]]
    words: dict[str, int] = field(default_factory=dict)


def expand(form: str) -> list[list[str]]:
    """Return every sequence of folded words that ``form`` stands for (syntax: head of lexicon.yaml)."""
    slots = []
    for part in form.replace("DE~", DE + "~").split():
        optional = part.endswith("~")
        part = DE if part == "DE" else part.rstrip("~")
        choices = [[w for piece in c.split("_") for w in _words(piece, part)] for c in _expand_de(part)]
        slots.append([*choices, []] if optional else choices)
    return [[w for piece in combination for w in piece] for combination in product(*slots)]


def _expand_de(part: str) -> list[str]:
    """Split alternatives; an alternative that begins with DE_ stands for all forms of de."""
    found = []
    for choice in part.split("|"):
        found += [f"{de}_{choice[3:]}" for de in DE.split("|")] if choice.startswith("DE_") else [choice]
    return found


def _words(piece: str, part: str) -> list[str]:
    return [fold(m) for m in TOKEN.findall(piece)]


@lru_cache(maxsize=1)
def load_rules() -> Rulebook:
    """Return the compiled rulebook of the installed package."""
    texts = [(HERE / name).read_bytes() for name in _DATA]
    lexicon, cues = (yaml.load(t, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader)) for t in texts)
    return _compile(lexicon, cues, rules_version())


def rules_version() -> str:
    """Return the versions of lexicon and cues with a digest of both and of the code, without compiling them."""
    texts = [(HERE / name).read_bytes() for name in _DATA]
    lexicon, cues = (_VERSION.search(text)[1].decode() for text in texts)
    return f"{lexicon}+{cues}.{hashlib.sha256(bytes(0).join(texts) + _code_bytes()).hexdigest()[:12]}"


_DECIDE = ("words.py", "rules.py", "scan.py", "engine.py", "sections.py")


def _code_bytes() -> bytes:
    """The modules that decide labels; a change in them is a new engine version too."""
    return b"\0".join(path.read_bytes() for path in sorted([*map(HERE.joinpath, _DECIDE), *HERE.glob("sentence/*.py")]))


def _compile(lexicon: dict, cues: dict, version: str) -> Rulebook:
    book = _Builder(cues["sets"])
    for entry in lexicon["rules"] + cues["rules"]:
        book.add_rule(entry)
    for attribute, forms in cues["remarks"].items():
        book.add_forms(forms, Leaf(KIND["remark"], f"remark.{attribute}", (), attribute))
    modifiers = {book.symbol(w) for w in cues["modifiers"] + cues["modifiers_more"]}
    for word in sorted(modifiers):
        book.tree.setdefault(word, {}).setdefault(LEAF, Leaf(KIND["modifier"], "modifier"))
    titles = {tuple(map(book.symbol, f.split())): name for name, fs in cues["titles"].items() for f in fs}
    bare = frozenset(tuple(map(book.symbol, f.split())) for f in cues["bare_titles"])
    ends = frozenset(tuple(map(book.symbol, f.split())) for f in cues["bare_ends"])
    indication = frozenset(book.symbol(w) for f in cues["indication_words"] for w in f.split() if len(w) > 2)
    abbreviations = frozenset(book.symbol(w) for w in cues["abbreviations"])
    solo = {s: node[LEAF] for s, node in book.tree.items() if len(node) == 1 and LEAF in node}
    tree = {s: node for s, node in book.tree.items() if s not in solo}
    return Rulebook(
        version,
        book.rules,
        _word_table(book, cues),
        tree,
        solo,
        frozenset(modifiers),
        abbreviations,
        frozenset(book.none_words),
        titles,
        bare,
        ends,
        frozenset(t[0] for t in bare | ends),
        indication,
        {name: frozenset(map(book.symbol, words)) for name, words in cues["word_sets"].items()},
        book.symbols,
    )


def _word_table(book: _Builder, cues: dict) -> WordTable:
    """Return the table of words with what is known of typing errors."""
    book.correct(cues["corrected"], 1)
    typos = Typos(
        book.targets,
        list(cues["real_words"]) + [w for w in book.seen if w not in book.targets],
        {w: book.tree[s][LEAF].rule for w, s in book.symbols.items() if LEAF in book.tree.get(s, ())},
    )
    known = {*map(fold, cues["real_words"]), *book.seen}
    slips = {e: w for w in cues["corrected_short"] for e in slips_of(w) if e not in known}
    for error, word in {**slips, **cues["misspelt"]}.items():
        book.symbols.setdefault(stem(error), book.symbols[stem(word)])
    return WordTable(book.symbols, typos, frozenset(stem(w) for w in book.targets))


class _Builder:
    """Collects words and phrases; the first rule that claims a form keeps it."""

    FULLY: ClassVar = frozenset(("finding", "fixed_finding", "anatomy", "quality"))
    """Kinds whose words are corrected from six letters, and by two edits where they are long."""
    UNCORRECTED_RULES = ("exam_anatomy", "bone_anatomy", "lung_anatomy")

    def __init__(self, sets: dict[str, list[str]]) -> None:
        self.sets = {name: "|".join(w.replace(" ", "_") for w in words) for name, words in sets.items()}
        self.symbols: dict[str, int] = {}
        self.tree: dict[int, dict] = {}
        self.rules: dict[str, Rule] = {}
        self.targets: dict[str, int] = {}
        self.seen: set[str] = set()
        self.none_words: set[int] = set()

    def symbol(self, word: str) -> int:
        """Return the number of a word, giving it one if it is new."""
        word = fold(word)
        self.seen.add(word)
        return self.symbols.setdefault(stem(word), FIRST_WORD + len(self.symbols))

    def add_rule(self, entry: dict) -> None:
        """Add one YAML line."""
        rule = Rule(
            entry["id"],
            entry["kind"],
            tuple(_SET.sub(lambda m: self.sets[m.group(1)], form) for form in entry["forms"]),
            entry["reason"],
            tuple(entry["fires"]),
            tuple(entry["spares"]),
            tuple(entry.get("classes", ())),
            entry.get("value"),
        )
        if rule.id in self.rules:
            raise ValueError(f"rule {rule.id} is defined twice")
        self.rules[rule.id] = rule
        kind = "other" if rule.kind == "excluded" and entry.get("other") else rule.kind
        leaf = Leaf(KIND[kind], rule.id, rule.classes, rule.value, frozenset(entry.get("after", ())))
        self.add_forms(rule.forms, leaf)

    def correct(self, words: Iterable[str], edits: int) -> None:
        """Let long words be matched when they are misspelt, by so many edits at most."""
        for word in map(fold, words):
            if len(word) >= SHORTEST_TYPO:
                self.targets[word] = max(edits, self.targets.get(word, 0))

    def add_forms(self, forms: tuple[str, ...], leaf: Leaf) -> None:
        """Grow the phrase tree by every expansion of the forms."""
        kind = KINDS[leaf.kind]
        fully = kind in self.FULLY and leaf.rule not in self.UNCORRECTED_RULES
        for form in forms:
            for words in expand(form):
                symbols = [self.symbol(w) for w in words]
                if fully:
                    self.correct(words, 2)
                if kind == "none_after" and len(symbols) == 1:
                    self.none_words.add(symbols[0])
                node = self.tree
                for s in symbols:
                    node = node.setdefault(s, {})
                node.setdefault(LEAF, leaf)
