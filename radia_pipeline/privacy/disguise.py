"""Undoing what hides letters from a gate: look-alikes, invisible and spaced characters, words parted at line ends.

Belongs here: any way to write the same letters, and where in the text as written each of them stands. Does not belong
here: what the letters mean.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass, replace

_USUAL = "cp1252"
"""Holds all letters and marks of dictated French, and few that could hide one: those are asked for one by one."""
_DISGUISES = "\N{NO-BREAK SPACE}\N{SOFT HYPHEN}\N{EN DASH}\N{EM DASH}ªº²³¹"
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
    if _may_hide(written):
        plain = _shown(written)
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


def _shown(written: str) -> Plain:
    """Return compatibility forms, Latin look-alikes, plain blanks and hyphens; no invisible characters."""
    shown: list[str] = []
    origin: list[int] = []
    ends: list[int] = []
    for at, character in enumerate(written):
        kind = unicodedata.category(character)
        if kind == "Mn" and shown:
            joined = unicodedata.normalize("NFC", shown[-1] + character)
            shown[-1] = joined if len(joined) == 1 else shown[-1]
            ends[-1] = at + 1
        for letter in _form(character, kind):
            shown.append(letter)
            origin.append(at)
            ends.append(at + 1)
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
    text = "".join(plain.text[at] for at in kept)
    if plain.origin is None or plain.ends is None:
        return Plain(text, tuple(kept), tuple(at + 1 for at in kept))
    return Plain(text, tuple(plain.origin[at] for at in kept), tuple(plain.ends[at] for at in kept))
