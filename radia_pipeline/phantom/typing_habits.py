"""What happens to a dictated text on its way: œ, accents, capitals, typing errors, spoken punctuation, line ends.

None of it changes what the text says.
"""

from __future__ import annotations

import re
import unicodedata

import numpy as np

from radia_pipeline.phantom.wording import TYPING_ERRORS

HYPHENATED = re.compile(r"\b[^\W\d_]{9,}\b")


def retype(text: str, rng: np.random.Generator) -> str:
    """Return the text as a secretary may have typed it."""
    if rng.random() < 0.55:
        text = re.sub("Œ(?=[A-ZÀ-Þ])|(?<=[A-ZÀ-Þ])Œ", "OE", text).replace("œ", "oe").replace("Œ", "Oe")
    if rng.random() < 0.07:
        text = _with_error(text, rng)
    if rng.random() < 0.03:
        text = re.sub(r", ", " virgule ", text)
        text = re.sub(r"(?<!s\.p)\.(?=\s+[A-ZÉÀŒ])", " point", text)
    if rng.random() < 0.12:
        text = text.replace("'", "’")
    elif rng.random() < 0.05:
        text = re.sub(r"\b([dDlL])'", r"\1' ", text)
    if rng.random() < 0.08:
        text = without_accents(text)
    if rng.random() < 0.06:
        text = text.upper()
    if rng.random() < 0.10:
        text = _wrapped(text, int(rng.integers(55, 90)))
    return text


def without_accents(text: str) -> str:
    """Return the text with its accents dropped."""
    return "".join(c for c in unicodedata.normalize("NFD", text) if unicodedata.category(c) != "Mn")


def _with_error(text: str, rng: np.random.Generator) -> str:
    """Misspell one finding."""
    present = [word for word in TYPING_ERRORS if re.search(rf"\b{word}", text)]
    if not present:
        return text
    word = present[int(rng.integers(len(present)))]
    errors = TYPING_ERRORS[word]
    return text.replace(word, errors[int(rng.integers(len(errors)))], 1)


def _wrapped(text: str, width: int) -> str:
    """Break lines at ``width`` characters, cutting a long word with a hyphen where it crosses the edge."""
    lines, line = [], ""
    for word in text.split(" "):
        if len(line) + len(word) < width or not line:
            line = f"{line} {word}".strip()
        elif HYPHENATED.fullmatch(word):
            cut = max(4, min(len(word) - 4, width - len(line) - 1))
            lines.append(f"{line} {word[:cut]}-")
            line = word[cut:]
        else:
            lines.append(line)
            line = word
    return "\n".join([*lines, line])
