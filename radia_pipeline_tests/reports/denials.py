"""Denied findings in every layout: all that the lexicon names × forms of denial × layouts, drawn by a seed.

Belongs here: what is drawn. Does not belong here: the check (``test_never_open`` and its benchmark).
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from functools import lru_cache

from radia_pipeline.reports.forms import Forms
from radia_pipeline.reports.french import FRENCH
from radia_pipeline.reports.rules import rulebook
from radia_pipeline_tests.reports.templates import TEMPLATES, sentence

VALUES = (
    "pas {de}", "Pas {de}.", "aucun signe {de}", "absence {de}", "sans évidence {de}", "il n'y a pas {de}", "{f} : non",
    "{f} : aucun", "{f} : absence", "{f} (-)", "{f} : 0", "☐ {f}", "[ ] {f}", "{f} absent", "{f} non visible",
    "no {f}", "{f} ..... absent", "{f}: néant", "{f} = 0", "{f} : ☐ oui ☒ non", "{f} : ☐", "{f} : -", "{f} : Ø",
    "{f} : nul", "{f} ? Non.", "(-) {f}", "{f} non vu",
    "without {f}", "negative for {f}", "{f} not seen", "nég. pour {f}", "Ø {f}", "0 {f}", "zéro {f}", "{f} : zéro",
    "{f} .. non",
)  # fmt: skip
CELLS = (
    "{f}\tnon", "{f} | absent", "{f} ; non", "{f} : Oui ( ) Non (X)", "{f}\t-", "{f} | 0 |",
    "Rotation | oui | {f} | non", "{f} | non | Rotation | oui", "Rotation\toui\t{f}\tnon\tInspiration\toui",
)  # fmt: skip
"""Denials in cells, which fill their line, also beside others that are answered yes; the others as forms, lists and
shorthand have them."""
LAYOUTS = (
    "{x}", "- {x}\n- {y}", "• {x}\n• {y}", "➢ {y}\n➢ {x}", "o {x}\no {y}", "# {x}\n# {y}", "1) {x}\n2) {y}",
    "1. {x}\n2. {y}", "{x}\n{y}", "{y}\n\n{x}", "{x}\r{y}", "{x}<br>{y}", "+ {x}\r\n+ {y}", "RAPPORT :\n{x}\n{y}",
    "▪ {x}\n▪ {y}", "→ {x}\n→ {y}", "* {x}\n* {y}", "\uf0b7 {x}\n\uf0b7 {y}", "<li>{x}</li><li>{y}</li>",
    "Indication : toux.\n\n{x}\n{y}", "Comparaison : aucune.\n{x}\n{y}", "{x}\nCœur normal.\n{y}", "Conclusion : {x}",
    "Poumons clairs.\n{x}\n{y}\nSigné sans relecture du radiologue.", "  {x}\n  {y}",
)  # fmt: skip
ONE_LINE = ("{x}. {y}.", "{x} / {y}", "{x}; {y}")


@lru_cache(maxsize=1)
def findings() -> tuple[tuple[str, frozenset[str]], ...]:
    """Return (words, classes) of everything that the lexicon names, once; not those that are whole clauses."""
    book, words = rulebook(FRENCH), FRENCH.content("words.yaml")
    forms = Forms({name: choices[:1] for name, choices in words["macros"].items()}, words["sets"])  # "de" for all of DE
    found: dict[str, frozenset[str]] = {}
    for rule in book.rules.values():
        if rule.kind in ("finding", "fixed_finding"):
            for form in rule.forms:
                for words in forms.expand(form):
                    if not {"est", "sont", "demeure", "reste"} & set(words):
                        found.setdefault(" ".join(words), frozenset(rule.classes))
    return tuple(sorted(found.items()))


PLACES = (" LSD", " droit", " base gauche", " du lobe moyen", " apical")
LOCATED = ("{f}{p} : non", "{f}{p} non", "{f}{p} absent", "{f}{p} : 0", "{f}{p} : RAS", "{f}{p} : non vu")
LOCATED_CELLS = ("{f}{p} | non", "{f}{p}\taucun", "Rotation | oui | {f}{p} | non")
"""Denials behind a place; the second in cells."""


def denied(form: str, noun: str) -> str:
    """Return a denial of ``noun``; "Pas {de}" takes "de" or "d'"."""
    de = f"d'{noun}" if noun[0] in "aeiouéèœ" else f"de {noun}"
    return form.format(de=de, f=noun)


def drawn(seed: int, samples: int) -> Iterator[tuple[str, frozenset[str]]]:
    """Yield texts in which nothing but denials stands, with the classes that they deny."""
    draw, nouns = random.Random(seed), findings()
    for _ in range(samples):
        (f, first), (g, second) = draw.choice(nouns), draw.choice(nouns)
        layout = draw.choice((*LAYOUTS, *ONE_LINE))
        x, y = (_denial(draw, noun, layout in ONE_LINE) for noun in (f, g))
        text = layout.format(x=x, y=y)
        text = draw.choice((str, str, str.upper, str.lower, str.capitalize))(text)
        yield text, (first | second if "{y}" in layout else first)


def _denial(draw: random.Random, noun: str, on_one_line: bool) -> str:
    if draw.random() < 0.1:
        forms = LOCATED if on_one_line else (*LOCATED, *LOCATED_CELLS)
        return draw.choice(forms).format(f=noun, p=draw.choice(PLACES))
    if draw.random() < 0.5:
        return denied(draw.choice(VALUES if on_one_line else (*VALUES, *CELLS)), noun)
    return sentence(draw.choice(TEMPLATES[0]), noun, draw.choice("mf"))
