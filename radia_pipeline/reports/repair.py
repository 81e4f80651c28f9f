"""What transport did to a text, undone where that is certain: entities, tags, wrong encodings, odd apostrophes.

Belongs here: characters. Does not belong here: what a text means. Small tables of our own and not ftfy: a
report must be repaired in microseconds, by rules that can be listed, and nothing uncertain may be touched.
"""

from __future__ import annotations

import re
import unicodedata
from html.entities import html5

from radia_pipeline.reports.edits import Changed, change

_LETTERS = (
    "àâäçèéêëîïôöùûüÿñøÀÂÄÇÈÉÊËÎÏÔÖÙÛÜŸØœŒæÆ°«»²³·µ±½¼×\u00a0\u2018\u2019\u201c\u201d\u2013\u2014\u2022\u2026\u2610\u2612"
    "∅≤≥≈−→⇒‐\u2011\u202f‣⁃●○◦◆◇❖►▶▸➢➤✓✔✗✘☑❑↑↓←↔▪■▫□\u02bc\u2032\ufeff\uf0b7\uf0a7\uf0d8\uf0fc\uf076"
)
"""Characters of French reports that come as two or three where UTF-8 was read as Windows-1252 or Latin-1."""


def _misread() -> dict[str, str]:
    """Return the misread spelling of every letter, in both encodings, once and twice."""
    found: dict[str, str] = {}
    for letter in _LETTERS:
        spellings = {letter}
        for _ in range(2):
            spellings = {wrong for right in spellings for wrong in _read_wrongly(right)}
            found.update({wrong: letter for wrong in spellings if len(wrong) > 1})
    return found


def _read_wrongly(text: str) -> set[str]:
    """Return ``text`` as UTF-8 read byte by byte; bytes that Windows-1252 leaves out stay as they are."""
    raw = text.encode()
    windows = "".join(_windows(byte) for byte in raw)
    return {windows, raw.decode("latin-1")}


def _windows(byte: int) -> str:
    try:
        return bytes((byte,)).decode("cp1252")
    except UnicodeDecodeError:
        return chr(byte)


_WRONG = {**_misread(), "\u00c3 ": "à "}
_ALIKE = dict.fromkeys("\u02bc\u02b9\u2032\u00b4\u0060\u2018\u201b\uff07", "'") | dict.fromkeys(
    "\u2011\u2010\u00ad\u2043", "-"
)
_ALIKE |= {"\u2028": "\n", "\u2029": "\n", "\u0085": "\n", "\v": "\n", "\f": "\n", "\u00ad": "", "\ufeff": ""}
_BREAKS = re.compile(r"<\s*/?\s*(?:br|p|div|li|tr|h\d|ul|ol|table)\b[^>]*>", re.I)
_TAG = re.compile(
    r"</?(?:a|abbr|b|big|blockquote|body|caption|center|code|col|colgroup|d[dlt]|em|font|head|hr|html|i|img|link|meta|pre|s"
    r"|small|span|strike|strong|style|su[bp]|t[dht]|tbody|tfoot|thead|title|u)\b|</|<[^<>]*[=/:]",
    re.I,
)
"""A tag of HTML, or another one that closes or has attributes; what else stands between "<" and ">" is a word."""
_ALTERNATIVES = "|".join(map(re.escape, sorted(_WRONG, key=len, reverse=True)))
LATIN = "a-zA-ZÀ-ÖØ-öø-ÿ"
"""Letters of western European languages, as a part of a pattern's class; œ stands apart."""
PLAIN = re.compile(
    "[0-9A-Za-z\u00c0\u00c1\u00c4\u00c6-\u00c9\u00cb-\u00d6\u00d8-\u00e1\u00e3-\u00ee\u00f0-\u00f6\u00f8-\u00ff\u0152\u0153"
    " .,:'\u2019\n-]*\\Z"
)
"""A text that needs no repair, and in which few signs stand for words (see Marks.may_touch); letters with which misread
ones begin are not among its letters."""
_SUSPECT = re.compile(
    "[&<\\\\\u00c2\u00c3\u00c5\u00ca\u00e2\u00ef\u00ad\ufeff\u02b9\u02bc\u0060\u00b4\u2010\u2011\u2018\u201b\u2028\u2029\u2032\u2043\u0085\uff07\v\f]"
)
_RETURN = re.compile(r"\r(?!\n)")
"""One of these stands in every text that needs a repair."""
_HARM = re.compile(
    r"(?P<entity>&#(?:\d{1,6}|[xX][0-9a-fA-F]{1,5});?|&[a-zA-Z]{2,8};)|(?P<cell><\s*/\s*t[dh]\b[^>]*>\s*<\s*t[dh]\b[^>]*>)"
    r"|(?P<tag></?[a-zA-Z][^<>]{0,200}>)|(?P<wrong>"
    + _ALTERNATIVES
    + ")|(?P<alike>["
    + "".join(map(re.escape, _ALIKE))
    + r"])|(?P<return>\r(?!\n))|(?P<escaped>\\r\\n|\\[rnt'\"])"
)
_TIMES = 3
"""An entity may hold an entity ("&amp;eacute;"), or a wrong encoding."""
_LOST = re.compile("\ufffd|\u00c3[\u0080-\u00bf]|\u00e2\u20ac|(?<=[a-z])\u00c3(?=[a-z])|&[a-zA-Z]{2,8};")
"""What is left of letters that nobody can restore."""


_DOS = dict(zip("‚Šƒ…‡ˆ‰‹Œ“–—", "éèâàçêëïîôûù", strict=True))
"""Letters of code page 850 that were read as Windows-1252."""
_SURELY_DOS = re.compile("(?<=[a-zA-Z'\u2019])‚(?=[a-z])|(?<![\\w‚])‚(?=[a-z]{2})")
"""A low quotation mark inside a word, or at its start: French has none."""
_DOS_LETTER = re.compile("[‚Šƒ…‡ˆ‰‹Œ“–—]")
"""Of a text that is surely of that code page, where each of them is a letter: it has neither dashes nor an ellipsis."""
_SURELY_QUOTED = re.compile("=C3=[89AB][0-9A-F]|=E2=80=[0-9A-F]{2}")
"""A letter or a sign of French in UTF-8, as mail writes what is not ASCII (RFC 2045, quoted-printable)."""
_QUOTED = re.compile("(?:=[0-9A-F]{2}|=\r?\n)+")
_APART = re.compile("[^\\W\\d_][\u0300-\u036f]+")
"""A letter and its accents, each a character of its own (Unicode's form NFD)."""


def repair(text: str) -> list[Changed]:
    """Return the steps that mend ``text``, first to last; none where nothing is wrong with it."""
    steps: list[Changed] = []
    if not unicodedata.is_normalized("NFC", text):
        together = ((m.start(), m.end(), unicodedata.normalize("NFC", m[0])) for m in _APART.finditer(text))
        steps = [joined] if (joined := change(text, together)).edits else []
        text = joined.text
    if "=" in text and _SURELY_QUOTED.search(text):
        pieces = [(m.start(), m.end(), new) for m in _QUOTED.finditer(text) if (new := _unquoted(m[0])) is not None]
        steps.append(change(text, pieces))
        text = steps[-1].text
    if "‚" in text and _SURELY_DOS.search(text):
        steps.append(change(text, ((m.start(), m.end(), _DOS[m[0]]) for m in _DOS_LETTER.finditer(text))))
        text = steps[-1].text
    while len(steps) <= _TIMES and (_SUSPECT.search(text) or ("\r" in text and _RETURN.search(text))):
        pieces = [(m.start(), m.end(), new) for m in _HARM.finditer(text) if (new := _right(m)) != m[0]]
        if not pieces:
            break
        steps.append(change(text, pieces))
        text = steps[-1].text
    return steps


def is_lost(text: str) -> bool:
    """Say whether a repaired text still holds letters that transport destroyed."""
    return _LOST.search(text) is not None


def _unquoted(found: str) -> str | None:
    """Return what mail's signs stand for, nothing for a line's soft end, None for bytes that are no UTF-8."""
    try:
        return bytes.fromhex(re.sub("=|\r?\n", "", found)).decode()
    except UnicodeDecodeError:
        return None


def _right(match: re.Match[str]) -> str:
    kind, found = match.lastgroup, match[0]
    if kind == "wrong":
        return _WRONG[found]
    if kind == "alike":
        return _ALIKE[found]
    if kind == "return":
        return "\n"
    if kind == "escaped":  # as programs write a line end inside quotes
        return {"t": "\t", "'": "'", '"': '"'}.get(found[1], "\n")
    if kind == "cell":
        return " | "
    if kind == "tag":
        if _BREAKS.match(found):
            return "\n"
        return " " if _TAG.match(found) else f" {found[1:-1]} "  # "Pneumothorax <non>"
    return _entity(found)


def _entity(found: str) -> str:
    name = found[1:].rstrip(";")
    if name[0] != "#":
        return html5.get(name + ";", found)
    code = int(name[2:], 16) if name[1] in "xX" else int(name[1:])
    is_text = (32 <= code < 0x110000 and not 0xD800 <= code < 0xE000) or code in (9, 10, 13)
    return _windows(code) if 0x80 <= code < 0xA0 else chr(code) if is_text else found
