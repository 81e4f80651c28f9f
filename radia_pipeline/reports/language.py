"""What a language brings so that its reports can be read: the whole interface between the reader and a language.

Belongs here: what the reader asks for, with its meaning. Does not belong here: any word (``french``), and what is done
with the answers (``rules`` compiles them, ``scan``, ``sections`` and ``sentence`` ask).

A port to another language is a folder beside ``french`` with the four files below and its own ``stem`` and ``plurals``.
Kinds and traits that its rules may name stand in ``kinds``.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import yaml

READER_VERSION = 31
"""Raised by a person when the code reads a text otherwise by the same rules; ``test_readings`` demands it."""

FILES = ("lexicon.yaml", "cues.yaml", "sections.yaml", "words.yaml")
"""What is named; how it is affirmed, denied and hedged; titles of sections; single words (``Words``, typing errors)."""

_VERSION = re.compile(rb'^version: "([^"]+)"', re.M)


@dataclass(frozen=True, slots=True)
class Words:
    """Single words that the reader asks about, as symbols; a language lists each under ``word_sets`` in words.yaml.

    ``none`` is not listed: the rules of kind none_after say which words deny alone.
    """

    none: frozenset[int]
    modifiers: frozenset[int]  # describe, and may stand inside a phrase
    abbreviations: frozenset[int]  # end in a full stop that ends no sentence
    # small words
    articles: frozenset[int]
    definite: frozenset[int]  # articles of what is known already
    partitive: frozenset[int]  # articles over which a list goes on
    small: frozenset[int]  # articles and prepositions that may stand before a noun that the lexicon does not know
    of: frozenset[int]  # behind a dictated stop they make it a noun
    of_a_measure: frozenset[int]  # between a hedge and a number: it is the size that follows
    than: frozenset[int]  # open what is compared, or the exception
    other: frozenset[int]  # a denial of another one
    rather: frozenset[int]  # before a finding that is preferred to another one
    amounts: frozenset[int]  # denied and compared, they say nothing of whether there is any
    favours: frozenset[int]  # between one of these and a finding: "plutôt en faveur de"
    versus: frozenset[int]  # alternatives, without an article
    locatives: frozenset[int]  # before a finding that only says where another one lies
    joiners: frozenset[int]  # a word behind one of these begins no title and no line
    unbroken: frozenset[int]  # a phrase that begins so has no modifier inside
    # verbs
    singular: frozenset[int]  # speak of the last of two subjects
    plural: frozenset[int]  # speak of both
    is_now: frozenset[int]
    was: frozenset[int]
    there: frozenset[int]  # say that it is there
    no_longer: frozenset[int]
    answers: frozenset[int]  # before a colon they open the answer to the question before
    shows: frozenset[int]  # behind history they tell what is seen
    pronouns: frozenset[int]  # begin a sentence on what the one before was about
    notices: frozenset[int]  # go on about the examination that was named
    suggests: frozenset[int]  # advise an examination, else hedge
    considers: frozenset[int]  # end advice, or a doubt where nothing is advised
    excludes: frozenset[int]  # deny what follows
    excludes_it: frozenset[int]  # denied, they hedge what follows, not what stands before
    to_exclude: frozenset[int]  # orders: they ask
    # what is said of findings and anatomy
    type_words: frozenset[int]  # say what kind a finding is, not that it is there
    size_words: frozenset[int]  # say that it is seen
    places: frozenset[int]  # prepositions of where a finding lies
    left_and_right: frozenset[int]  # sides that a label may name before its value
    still_open: frozenset[int]  # behind one of these: a value that is still to be told
    not_told: frozenset[int]  # values that say that nothing can be told
    seen: frozenset[int]  # behind a denied finding they end what is said of it
    which_kind: frozenset[int]  # behind "non" they say of which kind a finding is
    attributes: frozenset[int]  # what is told of a finding that is there: its age, where it comes from
    elsewhere: frozenset[int]  # adjectives of what is no lung and no pleura
    lobes: frozenset[int]  # say alone where a finding lies
    of_the_place: frozenset[int]  # articles before the place of a finding
    measures: frozenset[int]  # before a number
    french: frozenset[int]  # with one of them a sentence is of this language, whatever else stands in it
    causes: frozenset[int]  # behind a finding they speak of where it comes from
    below: frozenset[int]
    above: frozenset[int]  # compare an index
    healed: frozenset[int]  # said of a bone
    enlarged_words: frozenset[int]  # may be said of an anatomy behind another predicate
    line_starts: frozenset[int]  # at the start of a line in capitals they go on with the line before
    pleura: frozenset[int]
    lungs: frozenset[int]
    image: frozenset[int]  # the noun of a cue that an adjective makes a finding
    looks: frozenset[int]  # nouns for what is seen; behind a comma they begin a statement
    look: frozenset[int]  # looking normal is normal
    negative: frozenset[int]  # said of a search
    suspect: frozenset[int]  # suspicious, or suspected
    suspect_feminine: frozenset[int]  # those that behind a masculine noun are the participle
    masculine: frozenset[int]  # masculine nouns beside those of the trait
    list_hedges: frozenset[int]  # a hedge that covers a list of commas
    # sections and other examinations
    indication: frozenset[int]  # tell of the patient, not of the picture
    report_titles: frozenset[int]  # what stands before the first of these and asks is the indication
    other_exams: frozenset[int]
    follow_up: frozenset[int]  # begin a sentence of advice that ends at a comma
    status_post: frozenset[int]  # of kind normal; at the start of a sentence they open history


@dataclass(frozen=True, slots=True)
class Signs:
    """Words that stand for signs, as a language lists them under ``signs`` in words.yaml; alternatives are patterns."""

    denial: str  # the value of a "-"
    affirmation: str  # the value of a "+"
    absence_of: str  # an empty box
    presence_of: str  # a ticked box
    alternative: str  # a ">" between two findings
    possible: str  # "+/-", and a question mark before its word
    fracture: str  # "#" before a bone
    below: str
    above: str  # "<" and ">" before an index
    normal: str  # an "n" behind an anatomy
    no_values: tuple[str, ...]
    yes_values: tuple[str, ...]
    described: tuple[str, ...]  # how a cell begins that says where or how large
    unknown: str  # a value that answers nothing
    open_values: tuple[str, ...]  # stand where a value is expected and answer nothing
    bare_values: tuple[str, ...]  # values between blanks or before a stop: plain strings, no patterns
    headers: tuple[str, ...]  # of a table's columns
    referring: tuple[str, ...]  # a stop behind one of these ends nothing: plain strings, no patterns
    qualities: tuple[str, ...]  # behind a denial they say which kind a finding is
    participles: tuple[str, ...]  # the same, and no noun goes on with one behind it; with accents or without
    denied_openings: tuple[str, ...]  # begin a statement that denies, and no label
    negated: tuple[str, ...]  # before a verb that is denied: no label holds one
    doubts: tuple[str, ...]  # values that doubt
    values: tuple[str, ...]  # all that ends a cell of a table written on one line
    complements: tuple[str, ...]  # behind a value they go on with it: it is none
    determiners: tuple[str, ...]  # values that deny a noun behind them
    praises: tuple[str, ...]  # those of them that say of an examination that nothing is wrong
    anatomies: tuple[str, ...]  # behind which a lone "n" is "normal"
    verbs: tuple[str, ...]  # before which it is not
    predicates: tuple[str, ...]  # at the end of what stands before a value they make it a sentence, and no label
    bones: tuple[str, ...]  # before which "#" is a fracture
    before_bones: tuple[str, ...]  # what may stand between "#" and its bone
    ordinal: str  # behind "#", of a bone: "# 5e et 6e côtes" is a fracture in a list too
    of_what: tuple[str, ...]  # behind which "#" is a fracture
    indices: tuple[str, ...]  # of the heart's width, which may come in percent
    begun: str  # the first word of a value that the end of a line may cut off: "à⏎préciser"
    joints: tuple[str, ...]  # at the end of a line they go on in the next
    verdicts: tuple[str, ...]  # options of a form that are no yes and no no
    shortened: tuple[str, ...]  # nouns whose stop ends no sentence where one of ``continued`` follows
    continued: tuple[str, ...]
    glued: tuple[str, ...]  # behind a value they go on with it, over a stop: plain strings, no patterns
    titles: tuple[str, ...]  # of the findings: behind their colon a statement begins
    denied_headings: tuple[str, ...]  # before a colon or a list they deny each item
    denied_verbs: tuple[str, ...]  # those of them that have a verb, and may stand behind a place
    affirmed_headings: tuple[str, ...]  # before a colon or a list they affirm each item
    signatures: tuple[str, ...]  # end a report, with a full stop before them or without
    sides: tuple[str, ...]  # left and right, as labels
    before: tuple[str, ...]  # head a column of what was seen earlier
    now: tuple[str, ...]  # head a column of what is seen
    sought: tuple[str, ...]  # deny all of a list whose slashes stand apart

    @classmethod
    def of(cls, listed: Mapping[str, Any]) -> Signs:
        """Return the signs of one YAML entry."""
        signs: dict[str, Any] = {name: tuple(one) if isinstance(one, list) else one for name, one in listed.items()}
        return cls(**signs)


@dataclass(frozen=True, eq=False)
class Language:
    """One language. ``stem``: folded word -> without plural and gender; ``plurals``: a folded word's other endings.

    ``published``: digest of the files -> the digest under which lakes already hold tables with the same readings.
    """

    folder: Path
    stem: Callable[[str], str]
    plurals: Callable[[str], tuple[str, ...]]
    published: Mapping[str, str] = field(default_factory=dict)

    @cached_property
    def version(self) -> str:
        """Versions of lexicon and cues, and a digest of all files and of the reader's version; nothing is parsed."""
        texts = [(self.folder / name).read_bytes() for name in FILES]
        digest = hashlib.sha256(b"\0".join((*texts, str(READER_VERSION).encode()))).hexdigest()[:12]
        lexicon, cues = (found[1].decode() for text in texts[:2] if (found := _VERSION.search(text)))
        return f"{lexicon}+{cues}.{self.published.get(digest, digest)}"

    def content(self, name: str) -> dict:
        """Return one of ``FILES``, parsed."""
        loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
        return yaml.load((self.folder / name).read_bytes(), Loader=loader)
