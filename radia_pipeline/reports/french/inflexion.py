"""Plural and gender of French words as dictation has them; words without accents and case only. Nothing else."""

from __future__ import annotations

_OTHER_WORDS = {
    "abces": "abces",
    "index": "index",
    "mais": "mais",
    "pointe": "pointe",
    "pointes": "pointe",
    "tete": "tete",
    "tetes": "tete",
    "toux": "toux",
} | {word + s: word for word in ("suspect", "suspecte", "suspectee") for s in ("", "s")}
"""Words whose stem would be another word (ind, mai, point, TET, tous), and a participle that is not its adjective."""


def stem(word: str) -> str:
    """Return the folded ``word`` without plural and gender: "pleuraux" and "pleurale" -> "pleural"."""
    if len(word) < 4 or word in _OTHER_WORDS:
        return _OTHER_WORDS.get(word, word)
    if word.endswith("eaux"):
        word = word[:-1]
    elif word.endswith("aux") and len(word) > 4:
        word = word[:-3] + "al"
    elif word[-1] in "sx":
        word = word[:-1]
    return word if len(word) < 4 else _masculine(word)


def _masculine(word: str) -> str:
    if word.endswith("ee") and len(word) > 4:
        return word[:-2]
    if word[-1] != "e":
        return word
    word = word[:-1]
    if len(word) > 4:
        if word.endswith(("eus", "aus", "nn", "tt", "ll")):
            return word[:-1]
        if word.endswith("iv"):
            return word[:-1] + "f"
    return word


def plurals(word: str) -> tuple[str, ...]:
    """Return the plurals of a folded singular: "pleural" -> "pleurals" (as it is mistyped) and "pleuraux"."""
    if word[-1] in "sx":
        return ()
    return (word + "s", word[:-2] + "aux") if word.endswith("al") else (word + "s",)
