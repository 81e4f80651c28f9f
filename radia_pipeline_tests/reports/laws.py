"""Ways to write the same report otherwise: what a change of layout, letters or frame must never do to its labels.

Belongs here: transformations by name, and which texts a restriction exempts from them. Does not belong here: the check
itself (``test_laws``, ``benchmarks/labeler_laws.py``).

A law returns the changed text; ``EXEMPT`` where one of the two restrictions forbids it (sentences change places only
without a question, "idem" or a pronoun that stands for a finding; lines wrap only behind a preposition, an article, a
comma or a hyphen); None where the text has nothing that it could change.
"""

from __future__ import annotations

import quopri
import re
import unicodedata
from collections.abc import Callable, Iterator
from html.entities import codepoint2name

from radia_pipeline.reports.repair import repair

EXEMPT = object()
"""The text that a law's restriction leaves out."""
Law = Callable[[str], object]

_TELLS = (
    r"rens\w*\.?(?:\s+clin\w*\.?)?(?:\s+fournis?)?|donnée?s? cliniques?|r\.?\s?c\.?|(?:indication|motif|raison|"
    r"histoire|contexte|clinique|question|demande|diagnostic|but|antécédents?|antecedents?|atcd|information|problème|r/o|hx|"
    r"contrôle|controle|dx|ind)\b[^.:\n]{0,40}"
)
_INDICATION = re.compile(rf"(?i)(?:^|(?<=[.\n;!?]))\s*[-•*#\d.)]*\s*(?:{_TELLS})(?=\s*:|\s)")
_REPORT = re.compile(r"(?i)(?<=\S)\s+(?:rapport|r[ée]sultats?|description|constat\w*|lecture|interpr[ée]tation)\s*:")
_ABBREVIATION = re.compile(
    r"(?i)(?:^|[\s(-])(?:dr|mme|mr|inf|sup|ant|post|lat|env|ex|cf|moy|dte|gche|dt|bilat|approx|fig|no|st|ste|vol|diaph|\w)\.$"
)
_END = re.compile(r"(?:(?<=[^\W\d_]{2}[.!])|(?<=[\d)%][.!]))[^\S\n]+(?=[A-ZÀÂÉÈÊŒÎÔÇ])(?![GD]\b(?!['’]))")
_PRONOUNS = (
    r"idem|celui|celle|ceux|celles|ce dernier|cette dernière|ces derni[eè]re?s|il|ils|elle|elles|ceci|cela|cet|cette|"
    r"ces|lesquel|l'un|autre"
)
_NO_FINDING_MEANT = r"(?!\s+(?:y a|existe|n'y|persiste|s'agit|n'existe|est noté|n'est pas))"
_STANDS_FOR = re.compile(rf"(?i)\b(?:{_PRONOUNS})\b{_NO_FINDING_MEANT}")
_BEFORE_A_WRAP = "à|a|au|aux|de|du|des|en|dans|sur|sous|par|pour|avec|sans|vers|chez|entre|un|une|le|la|les"
_BREAKABLE = re.compile(rf"(?i)(?<![\w'’])(?:{_BEFORE_A_WRAP})[ ](?=\w)|,[ ](?=\w)|(?<=[^\W\d_])-(?=[^\W\d_])")


def sentences(text: str) -> list[str]:
    """Return the sentences of one line; an answer stays with its question, an abbreviation with what follows."""
    found, start = [], 0
    for match in _END.finditer(text):
        if not _ABBREVIATION.search(text[start : match.start()]):
            found.append(text[start : match.start()])
            start = match.end()
    return [*found, text[start:]]


def has_indication(text: str) -> bool:
    """Say whether a part of the text tells of the patient, under a title or before the report's own: where that ends
    depends on its lines."""
    return _INDICATION.search(text) is not None or _REPORT.search(text, 1) is not None


def is_plain(text: str) -> bool:
    """Say whether the text is prose on one line without an indication."""
    return "\n" not in text and "\r" not in text and not has_indication(text)


def is_clean(text: str) -> bool:
    """Say whether transport has left the text alone."""
    return not repair(text) and "\ufffd" not in text


# ---------------------------------------------------------------- letters
def bare(text: str) -> str:
    """Return the text without accents."""
    return "".join(c for c in unicodedata.normalize("NFKD", text) if not unicodedata.combining(c))


def _replace(*pairs: tuple[str, str]) -> Law:
    def change(text: str) -> object:
        new = text
        for old, to in pairs:
            new = new.replace(old, to)
        return new if new != text else None

    return change


def _clean(law: Law) -> Law:
    """Of texts that transport has damaged: capitals in an entity make another entity."""
    return lambda text: law(text) if is_clean(text) else None


def _soft_hyphens(text: str) -> object:
    return re.sub(r"([^\W\d_]{4})(?=[^\W\d_]{4})", "\\1\u00ad", text)


def _sentence_case(text: str) -> object:
    return ". ".join(s[:1].upper() + s[1:] for s in text.lower().split(". "))


# ---------------------------------------------------------------- transport
def _entities(style: str) -> Law:
    def one(c: str) -> str:
        if style == "named" and ord(c) in codepoint2name and c not in '&<>"':
            return f"&{codepoint2name[ord(c)]};"
        return f"&#x{ord(c):x};" if style == "hex" else f"&#{ord(c)};"

    def change(text: str) -> object:
        new = "".join(one(c) if c == "'" or ord(c) > 127 else c for c in text)
        if style == "twice":
            new = new.replace("&", "&amp;")
        return new if new != text else None

    return change


def _misread(encoding: str, times: int = 1) -> Law:
    def change(text: str) -> object:
        new = text
        for _ in range(times):
            new = "".join(_decoded(byte, encoding) for byte in new.encode())
        return new if new != text else None

    return change


def _decoded(byte: int, encoding: str) -> str:
    try:
        return bytes((byte,)).decode(encoding)
    except UnicodeDecodeError:
        return chr(byte)


def _quoted_printable(text: str) -> object:
    """As mail writes it: letters in signs, lines of at most 76 characters with a soft end."""
    new = quopri.encodestring(text.encode()).decode("ascii")
    return new if re.search("=C3=[89AB]", new) else None


def _of_code_page_850(text: str) -> object:
    """Read as Windows-1252, where a letter inside a word tells."""
    try:
        new = text.encode("cp850").decode("cp1252")
    except UnicodeError:
        return None
    return new if re.search("[a-zA-Z]‚[a-z]", new) and "´" not in text else None


# ---------------------------------------------------------------- lines and lists
def _each(join: str, before: str = "", after: str = "") -> Law:
    """Put every sentence on its own line or into its own cell, with ``before`` (a number for "9") in front of it."""

    def change(text: str) -> object:
        if not is_plain(text) or not is_clean(text):
            return None
        heads = (before.replace("9", str(k)) for k in range(1, 1 + len(parts))) if (parts := sentences(text)) else ()
        return join.join(f"{head}{part}{after}" for head, part in zip(heads, parts, strict=True))

    return change


def _bare_each(join: str, before: str = "") -> Law:
    """The same without the full stop at the end of each, as lists are typed."""

    def change(text: str) -> object:
        new = _each(join, before)(text)
        return None if new is None else re.sub(r"(?<=[^\W\d_]{2})\.(?=\s*(?:\n|$))", "", new)

    return change


def _line_ends(new: str) -> Law:
    return lambda text: text.replace("\n", new) if "\n" in text and "\r" not in text else None


def _wraps(end: str, every: int = 1) -> Law:
    """Wrap lines where a line may wrap; ``every``: only each so many places."""

    def change(text: str) -> object:
        if not is_clean(text):
            return None
        places = [m.end() for m in _BREAKABLE.finditer(text)]
        if not places:
            return EXEMPT
        new = text
        for at in reversed(places[::every]):
            new = new[:at].rstrip(" ") + end + new[at:]
        return new

    return change


def _full_lines(width: int) -> Law:
    def change(text: str) -> object:
        if not is_clean(text) or "\n" in text:
            return None
        places = [m.end() for m in _BREAKABLE.finditer(text)]
        if not places or len(text) <= width:
            return None
        new, last, breaks = text, 0, []
        for at, following in zip(places, [*places[1:], len(text)], strict=True):
            if following - last > width and at - last > width // 2:
                breaks.append(at)
                last = at
        for at in reversed(breaks):
            new = new[:at].rstrip(" ") + "\n" + new[at:]
        return new if breaks else None

    return change


# ---------------------------------------------------------------- order
def _ordered(turn: Callable[[list[str]], list[str]]) -> Law:
    def change(text: str) -> object:
        if not is_plain(text) or not is_clean(text):
            return None
        parts = sentences(text)
        if "?" in text or _STANDS_FOR.search(text):
            return EXEMPT
        if len(parts) < 2 or ":" in text:
            return None
        stop = "." if parts[-1].rstrip()[-1:].isalnum() else ""  # without it two sentences would become one
        return " ".join(turn([*parts[:-1], parts[-1].rstrip() + stop]))

    return change


# ---------------------------------------------------------------- frames
def _frame(before: str = "", after: str = "", *, plain: bool = False) -> Law:
    """Put something around the text; ``plain``: only around a text without an indication of its own."""
    return lambda text: f"{before}{text}{after}" if not plain or not has_indication(text) else None


def _twice(between: str) -> Law:
    def change(text: str) -> object:
        if has_indication(text) or (between == " " and not is_plain(text)):
            return None
        stop = "" if text.rstrip()[-1:] in ".?!" else "."
        return f"{text}{stop if between == ' ' else ''}{between}{text}"

    return change


_BONE = re.compile(r"(?i)(?:arcs?|c[ôo]tes?|clavicules?|sternum|omoplates?|scapulas?|rachis|vert[èe]bres?)\b")


def _hashes(text: str) -> object:
    """The bullet "#", but before a bone, where it is a word: the guide makes "# 6e côte" a fracture."""
    if any(map(_BONE.match, sentences(text))):
        return None
    return _each("\n", "# ")(text)


BULLETS = {
    "hyphen": "- ", "dash": "– ", "star": "* ", "dot": "• ", "square": "▪ ", "block": "■ ", "arrow": "➢ ",
    "right arrow": "→ ", "letter o": "o ", "plus": "+ ", "hash": "# ", "no-break hyphen": "‐ ",
    "word processor": "\uf0b7 ", "tick": "✓ ",
}  # fmt: skip

LAWS: dict[str, Law] = {
    # letters
    "capitals": _clean(str.upper),
    "small letters": _clean(str.lower),
    "sentence case": _clean(_sentence_case),
    "no accents": _clean(bare),
    "typewriter": _clean(lambda t: bare(t).upper()),
    "small letters without accents": _clean(lambda t: bare(t).lower()),
    "letters apart from accents": _clean(lambda t: unicodedata.normalize("NFD", t)),
    "curly apostrophe": _replace(("'", "’")),
    "left apostrophe": _replace(("'", "‘")),
    "apostrophe letter": _replace(("'", "\u02bc")),
    "prime": _replace(("'", "\u2032")),
    "acute": _replace(("'", "\u00b4")),
    "backtick": _replace(("'", "`")),
    "apostrophe and space": _replace(("'", "' ")),
    "space and apostrophe": _replace(("'", " '")),
    "oe to ligature": _clean(_replace(("oe", "œ"), ("Oe", "Œ"))),
    "ligature to oe": _replace(("œ", "oe"), ("Œ", "Oe")),
    "no-break hyphens": _replace(("-", "\u2011")),
    "soft hyphens": _clean(_soft_hyphens),
    "hard spaces": _replace((" ", "\u00a0")),
    "narrow hard space before colons": _replace((" :", "\u202f:"), (" ?", "\u202f?"), (" ;", "\u202f;")),
    "no space before colons": lambda t: new if (new := re.sub(r" ([:;?])(?=\s|$)", r"\1", t)) != t else None,
    "two spaces": _replace((" ", "  ")),
    "padding": _frame("  ", "  "),
    # transport
    "entities": _clean(_entities("named")),
    "decimal entities": _clean(_entities("decimal")),
    "hexadecimal entities": _clean(_entities("hex")),
    "entities twice": _clean(_entities("twice")),
    "read as Windows-1252": _clean(_misread("cp1252")),
    "read as Latin-1": _clean(_misread("latin-1")),
    "code page 850": _clean(_of_code_page_850),
    "quoted-printable": _clean(_quoted_printable),
    "read wrongly twice": _clean(_misread("cp1252", 2)),
    "byte order mark": _frame("\ufeff"),
    "paragraph tags": _frame("<p>", "</p>"),
    "bold tags": _frame("<b>", "</b>"),
    "break tags": _line_ends("<br>"),
    "break tag between sentences": _each("<br/>"),
    "div for each sentence": _each("", "<div>", "</div>"),
    "list items": _each("", "<li>", "</li>"),
    # lines
    "CRLF": _line_ends("\r\n"),
    "lone CR": _line_ends("\r"),
    "line separators": _line_ends("\u2028"),
    "blanks at line ends": _line_ends("  \n"),
    "a sentence a line": _each("\n"),
    "a sentence a line, CRLF": _each("\r\n"),
    "a sentence a line, lone CR": _each("\r"),
    "a sentence a paragraph": _each("\n\n"),
    "a line without its stop": _bare_each("\n"),
    "indented lines": _each("\n", "    "),
    "lines at the end": _frame("", "\n\n\n"),
    "lines at the start": _frame("\n\n"),
    # lists and columns
    **{f"bullets: {name}": _each("\n", bullet) for name, bullet in BULLETS.items()},
    "bullets: hash": _hashes,
    "bullets without stops": _bare_each("\n", "- "),
    "bullets on one line": _each(" ", "• "),
    "numbers: 1.": _each("\n", "9. "),
    "numbers: 1)": _each("\n", "9) "),
    "numbers: (1)": _each("\n", "(9) "),
    "numbers: 1-": _each("\n", "9- "),
    "numbers on one line": _each(" ", "9) "),
    "columns: bars": _each(" | "),
    "columns: tabs": _each("\t"),
    "columns: slashes": _each(" / "),
    "columns: a number a row": _each("\n", "9\t"),
    # frames
    "a comparison before": _frame("Comparaison : radiographie du 3 mars 2021.\n\n"),
    "a comparison on its line": _frame("COMPARAISON: aucune.\n", plain=True),
    "a comparison, then the report": _frame("Étude comparative : 12 mai 2019.\nRAPPORT :\n", plain=True),
    "a technique before": _frame("Technique : incidences postéro-antérieure et latérale.\n\n"),
    "a technique sentence": _frame("Clichés PA et latéral obtenus. ", plain=True),
    "an examination before": _frame("RADIOGRAPHIE PULMONAIRE\n\n"),
    "a signature": _frame("", "\n\nDicté et signé électroniquement le 4 juin 2021 à 14 h 32."),
    "signed unread": _frame("", " Signé sans relecture du radiologue."),
    "concordance": _frame("", "\nCONCORDANCE IMPOSSIBLE"),
    "initials": _frame("", "\n\nABC/def\n2021-06-04"),
    "an indication before": _frame("Renseignements cliniques : toux, éliminer une pneumonie.\nRAPPORT : ", plain=True),
    "an indication in a paragraph": _frame("Indication : dyspnée. Épanchement connu ?\n\n", plain=True),
    "a second indication": _frame("Indication : chute.\nR.C. : éliminer fracture.\nRésultat : ", plain=True),
    "an indication behind": _frame("", "\n\nIndication : nodule à suivre, éliminer pneumothorax."),
    "advice behind": _frame("", "\nUn contrôle est suggéré dans 6 semaines pour exclure une néoplasie."),
    "told behind": _frame("", "\nRésultat communiqué à l'urgence à 10 h."),
    "a title before": _frame("RAPPORT : ", plain=True),
    "a title on its line": _frame("DESCRIPTION\n", plain=True),
    "twice": _twice("\n\n"),
    "twice in a breath": _twice(" "),
    # order
    "sentences reversed": _ordered(lambda parts: parts[::-1]),
    "the first sentence last": _ordered(lambda parts: [*parts[1:], parts[0]]),
    # wraps
    "wrapped everywhere": _wraps("\n"),
    "wrapped everywhere, CRLF": _wraps("\r\n"),
    "wrapped at every third place": _wraps("\n", 3),
    "wrapped with an indent": _wraps("\n   ", 2),
    "full lines": _full_lines(64),
}  # fmt: skip


def broken(read: Callable[[str], dict], texts: list[str], names: list[str]) -> Iterator[tuple[str, str, str]]:
    """Yield (law, text, changed text) wherever a law's change moves a label."""
    for text in texts:
        said = read(text)
        for name in names:
            new = LAWS[name](text)
            if isinstance(new, str) and read(new) != said:
                yield name, text, new
