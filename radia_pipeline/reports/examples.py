"""Sentences that show what a rule and each of its forms do: written ones, and one made for each form by its kind.

Belongs here: how an example is made, and whether taking its form away is noticed. Does not belong here: the written
sentences (``examples.yaml`` of a language; the reader does not load it), reading (``engine``).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from itertools import islice

from radia_pipeline.reports.engine import Labeler
from radia_pipeline.reports.language import Language
from radia_pipeline.reports.reading import Reading
from radia_pipeline.reports.rules import Rule, Rulebook, rulebook

MOST = 48
"""Spellings of one form that are tried before it counts as covered by others."""


@dataclass(frozen=True)
class Written:
    """Sentences of one rule: in which it ``fires``, in which it must not (``spares``): (text, {class: value})."""

    fires: tuple[tuple[str, dict[str, int | None]], ...]
    spares: tuple[tuple[str, dict[str, int | None]], ...]


@cache
def written(language: Language) -> dict[str, Written]:
    """Return the written sentences of every rule."""
    content = language.content("examples.yaml")["rules"]
    return {
        name: Written(*(tuple((text, said) for text, said in entry[key]) for key in ("fires", "spares")))
        for name, entry in content.items()
    }


@cache
def patterns(language: Language) -> dict[str, list[str]]:
    """Return, by kind of rule or by rule, the sentences into which a form is put ("{}") to show what it does."""
    return language.content("examples.yaml")["patterns"]


def spellings(rule: Rule, form: str, book: Rulebook) -> list[str]:
    """Return ways to write out a form, as words apart by spaces."""
    return list(islice((" ".join(words) for words in book.forms.expand(form) if words), MOST))


def candidates(rule: Rule, form: str, language: Language, book: Rulebook) -> Iterator[str]:
    """Yield sentences that may show what ``form`` does, the plainest first."""
    known = patterns(language)
    for pattern in (*known.get(rule.id, ()), *known.get(rule.kind, ())):
        for words in spellings(rule, form, book):
            text = pattern.replace("{}", words)
            yield text[:1].upper() + text[1:]


def says(reading: Reading) -> tuple:
    """Return what a reading says, without the evidence for it."""
    return reading.labels, reading.attributes


def example(rule: Rule, form: str, language: Language, without: Labeler) -> str | None:
    """Return a sentence that is read otherwise where ``form`` is taken away; None where other forms cover it.

    ``without``: reads by a rulebook that lacks the form. A sentence that says otherwise goes before one of which only
    the evidence differs.
    """
    book, read = rulebook(language), Labeler.default().read
    shown = None
    for text in candidates(rule, form, language, book):
        now, then = read(text), without.read(text)
        if says(now) != says(then):
            return text
        if shown is None and now != then:
            shown = text
    return shown
