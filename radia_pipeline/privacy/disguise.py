"""Undoing what hides letters from a gate: entities, look-alikes, invisible and spaced characters, words parted at line
ends.

Belongs here: any way to write the same letters, and where in the text as written each of them stands. Does not belong
here: what the letters mean.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass, replace
from html import unescape

_USUAL = "cp1252"
"""Holds all letters and marks of dictated French, and few that could hide one: those are asked for one by one."""
_DISGUISES = "\N{NO-BREAK SPACE}\N{SOFT HYPHEN}\N{EN DASH}\N{EM DASH}ªº²³¹"
_ENTITY = re.compile(r"&(?:#(?:\d{1,7}|[xX][0-9a-fA-F]{1,6})|[a-zA-Z][a-zA-Z0-9]{1,30});?")
_TIMES = 3
"""An entity may hold an entity: "&amp;#233;"."""
_MAY_BE_SPACED = re.compile(r" [^\W_] [^\W_] [^\W_](?![^\W_])")
_SPACED = re.compile(r"(?<![^\W_])(?:[^\W_] ){4,}[^\W_](?![^\W_]|['’])")
_PARTED = re.compile(r"(?<=[^\W\d_])-[^\S\n]*\n[^\S\n]*(?=[^\W\d_])")
_ZERO = re.compile(r"(?<=[^\W\d_]{2})0(?=[^\W\d_])")
_LOOK_ALIKES = str.maketrans(
    "АВЕЅІЈКМНОРСТХУЗавеѕіјкмнорстхуԁԛԝһӏΑΒΕΖΗΙΚΜΝΟΡΤΥΧοαρντυχικıʼ`´",
    "ABESIJKMHOPCTXY3abesijkmhopctxydqwhlABEZHIKMNOPTYXoapvtuxiki’’’",
)
"""Cyrillic and Greek letters that nobody tells from Latin ones."""


@dataclass(frozen=True)
class Plain:
    """A text without disguises. ``origin``: where each character stands in the text as written, None: where it did;
    ``ends``: where it ends there, its accents with it."""

    text: str
    origin: tuple[int, ...] | None = None
    ends: tuple[int, ...] | None = None

    def written(self, start: int, end: int) -> tuple[int, int]:
        """Return where a range of this text stands in the text as written."""
        if self.origin is None or self.ends is None:
            return start, end
        return self.origin[start], self.ends[end - 1]


def undisguised(written: str) -> Plain:
    """Return a text as a reader sees it. It costs next to nothing where nothing is hidden."""
    plain = Plain(written)
    if "&" in written:
        plain = _without_entities(plain)
    if _may_hide(plain.text):
        plain = _shown(plain)
    if "\n" in plain.text and "-" in plain.text:
        plain = _without(plain, [match.span() for match in _PARTED.finditer(plain.text)])
    if "0" in plain.text and _ZERO.search(plain.text):
        plain = replace(plain, text=_ZERO.sub("o", plain.text))
    if _MAY_BE_SPACED.search(plain.text):
        plain = _without(plain, [(at, at + 1) for run in _SPACED.finditer(plain.text) for at in _blanks(run)])
    return plain


def _may_hide(written: str) -> bool:
    try:
        written.encode(_USUAL)
    except UnicodeEncodeError:
        return True
    return any(character in written for character in _DISGUISES)


def _places(plain: Plain) -> tuple[Sequence[int], Sequence[int]]:
    """Return where each character begins and ends in the text as written."""
    if plain.origin is None or plain.ends is None:
        return range(len(plain.text)), range(1, len(plain.text) + 1)
    return plain.origin, plain.ends


def _without_entities(plain: Plain) -> Plain:
    """Put the letter in the place of each entity: "&#8217;" is an apostrophe and no number, "&#49;" is a digit."""
    for _ in range(_TIMES):
        found = [
            (m.start(), m.end(), letters) for m in _ENTITY.finditer(plain.text) if (letters := unescape(m[0])) != m[0]
        ]
        if not found:
            break
        begins, stops = _places(plain)
        parts: list[str] = []
        origin: list[int] = []
        ends: list[int] = []
        at = 0
        for start, end, letters in found:
            parts += plain.text[at:start], letters
            origin += *begins[at:start], *(begins[start],) * len(letters)
            ends += *stops[at:start], *(stops[end - 1],) * len(letters)
            at = end
        plain = Plain("".join((*parts, plain.text[at:])), (*origin, *begins[at:]), (*ends, *stops[at:]))
    return plain


def _shown(plain: Plain) -> Plain:
    """Return compatibility forms, Latin look-alikes, plain blanks and hyphens; no invisible characters."""
    shown: list[str] = []
    origin: list[int] = []
    ends: list[int] = []
    for begins, stops, character in zip(*_places(plain), plain.text, strict=True):
        kind = unicodedata.category(character)
        if kind == "Mn" and shown:
            joined = unicodedata.normalize("NFC", shown[-1] + character)
            shown[-1] = joined if len(joined) == 1 else shown[-1]
            ends[-1] = stops
        for letter in _form(character, kind):
            shown.append(letter)
            origin.append(begins)
            ends.append(stops)
    return Plain("".join(shown), tuple(origin), tuple(ends))


def _form(character: str, kind: str) -> str:
    if kind in ("Cf", "Mn"):
        return ""
    if kind == "Zs":
        return " "
    if kind == "Pd" or character == "\N{MINUS SIGN}":
        return "-"
    return unicodedata.normalize("NFKC", character).translate(_LOOK_ALIKES)


def _blanks(run: re.Match[str]) -> range:
    return range(run.start() + 1, run.end(), 2)


def _without(plain: Plain, spans: list[tuple[int, int]]) -> Plain:
    gone = {at for start, end in spans for at in range(start, end)}
    kept = [at for at in range(len(plain.text)) if at not in gone]
    begins, stops = _places(plain)
    text = "".join(plain.text[at] for at in kept)
    return Plain(text, tuple(begins[at] for at in kept), tuple(stops[at] for at in kept))
