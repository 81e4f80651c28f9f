"""What one form of the rulebook does: its rule, an example, and the texts whose labels it decides.

Belongs here: finding forms by their words, and reading with and without one. Does not belong here: how examples are
made (``examples``), how they are printed (``cli``).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from radia_pipeline.errors import BadInput
from radia_pipeline.reports.engine import Labeler
from radia_pipeline.reports.examples import Written, example, written
from radia_pipeline.reports.kinds import KINDS
from radia_pipeline.reports.lacking import Lacking
from radia_pipeline.reports.language import Language
from radia_pipeline.reports.reading import Reading
from radia_pipeline.reports.rules import Rule, Rulebook, rulebook
from radia_pipeline.reports.words import TOKEN

Labels = dict[str, int]


@dataclass(frozen=True)
class Decided:
    """One text that a form decides: its labels and the rules that decide them, and both without the form."""

    text: str
    labels: Labels
    without: Labels
    rules: tuple[str, ...]
    rules_without: tuple[str, ...]

    @classmethod
    def of(cls, text: str, now: Reading, then: Reading) -> Decided:
        """Return how one text is read with a form and without it."""
        return cls(text, now.labels, then.labels, *(tuple(m.rule_id for m in one.mentions) for one in (now, then)))


@dataclass(frozen=True)
class Explanation:
    """What a form does. ``example``: None where only other forms decide; ``decides``: of the given texts."""

    rule: Rule
    form: str
    does: str
    example: Decided | None
    written: Written
    decides: tuple[Decided, ...]


def find(query: str, book: Rulebook) -> list[tuple[Rule, str]]:
    """Return (rule, form) for each form that is written as ``query``, or, where none is, that stands for its words.

    Raises BadInput where no form does.
    """
    pairs = [(rule, form) for rule in book.rules.values() for form in rule.forms]
    found = [(rule, form) for rule, form in pairs if query in (form, f"{rule.id}/{form}")]
    if not found:
        written = book.table.written
        words = list(map(written, TOKEN.findall(query)))
        found = [
            (rule, form)
            for rule, form in pairs
            if any(list(map(written, spelt)) == words for spelt in book.forms.expand(form))
        ]
    if not found:
        raise BadInput(
            f"No form of the rulebook stands for {query!r}",
            accepted="a form as lexicon.yaml or cues.yaml writes it, or words that one stands for",
        )
    return found


def explain(rule: Rule, form: str, language: Language, texts: Iterable[str]) -> Explanation:
    """Read the example of a form and ``texts`` with it and without it."""
    read = Labeler.default().read
    with Lacking(rulebook(language)).without(rule.id, form) as lacking:
        shown = example(rule, form, language, lacking)
        first = None if shown is None else Decided.of(shown, read(shown), lacking.read(shown))
        decided = [Decided.of(text, read(text), lacking.read(text)) for text in texts]
    decides = tuple(one for one in decided if one.labels != one.without)
    return Explanation(rule, form, KINDS[rule.kind], first, written(language)[rule.id], decides)


def written_texts(language: Language) -> list[str]:
    """Return every sentence that is written for a rule of a language."""
    rows = (row for one in written(language).values() for row in (*one.fires, *one.spares))
    return list(dict.fromkeys(text for text, _ in rows))
