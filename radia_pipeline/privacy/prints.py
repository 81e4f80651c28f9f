"""Text that is burned into the pixels, read by Tesseract through its command line.

The header's text is the question of ``header``.

Only regions that ``text_regions`` proposes are read, all of one picture in one call. Marks of the trade (L, R,
PORTABLE, …) are allowed by list; what was read never leaves this module.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Iterator

import numpy as np

from radia_pipeline.errors import Refusal, RunFailed
from radia_pipeline.privacy import reasons
from radia_pipeline.privacy.letters import edit_distance
from radia_pipeline.privacy.text_regions import BORDER_SHARE, Region, evened, has_letters, ink, text_regions

_REGION_PX = 120
"""Smaller regions are enlarged, so that small print reaches the height that Tesseract reads best."""
_SURROUND_PX = 43
_MARGIN_PX = 16
_MIN_CONFIDENCE, _SURE_DIGITS, _WEAK = 40.0, 60.0, 30.0
_LONG, _ENOUGH = 7, 0.82
"""No anatomy is read as seven letters in a row; else evidence adds up. Most of it in 683 clean chests: 0.80."""
_JOINTS = re.compile(r"[‘’'“”\"^*~]")
_SECONDS = 60.0
_COMMAND = ("tesseract", "-", "-", "--psm", "11", "-l", "eng", "--dpi", "150", "tsv")


def is_available() -> bool:
    """Tell whether the command ``tesseract`` can be found."""
    return shutil.which("tesseract") is not None


def require_tesseract() -> None:
    """Raise RunFailed where Tesseract is missing: pixels that cannot be read must not pass for clean."""
    if not is_available():
        raise RunFailed(
            "This source's policy demands that burned-in text is looked for, and Tesseract is not installed",
            accepted="the command `tesseract` on the PATH",
            do="install it (Debian: apt-get install tesseract-ocr), or switch OCR off if the pixels are known clean",
        )


def find_text(shown: np.ndarray, allowed: frozenset[str], *, whole: bool = False) -> str | None:
    """Return the rule that burned-in text breaks, None where there is none beyond the allowed marks.

    ``shown``: (H, W) in [0, 65535] at native size. ``whole``: look at the whole picture, not only at its borders.
    Raises Refusal (unaudited_pixels) where Tesseract fails.
    """
    lines = [
        _as_print(strokes)
        for region in text_regions(shown, border_share=0.5 if whole else BORDER_SHARE)
        for strokes in _letters(shown, region)
    ]
    upright = [line for line in lines if line.shape[1] >= line.shape[0] // 2]
    tall = [np.rot90(line, turns) for line in lines if line.shape[0] > 1.5 * line.shape[1] for turns in (1, 3)]
    for sheet in filter(None, (upright, tall)):
        rule = judge(_read(_montage(sheet)), allowed)
        if rule is not None:
            return rule
    return None


def _letters(shown: np.ndarray, region: Region) -> list[np.ndarray]:
    """Return the strokes of a region, bright or dark ones, whichever look more like letters; empty where neither do."""
    from scipy import ndimage

    crop = np.asarray(shown[region.top : region.bottom, region.left : region.right], np.float32)
    around = crop - ndimage.uniform_filter(crop, _SURROUND_PX)
    # Letters are few among much ground: the third moment tells whether they are brighter or darker than it.
    is_dark = float((around**3).sum()) < 0
    if not any(has_letters(ink(shown, region, dark=dark)) for dark in (is_dark, not is_dark)):
        return []
    return [ink(shown, region, dark=is_dark)]


def _as_print(strokes: np.ndarray) -> np.ndarray:
    """Draw strokes as dark letters on white, uint8, small ones enlarged.

    What is wider than a stroke is gone already.
    """
    from scipy import ndimage

    drawn = evened(strokes)
    scale = int(np.clip(round(_REGION_PX / min(drawn.shape)), 1, 3))
    if scale > 1:
        drawn = np.clip(ndimage.zoom(drawn, scale, order=1), 0.0, 1.0)
    return ((1.0 - drawn) * 255).astype(np.uint8)


def _montage(lines: list[np.ndarray]) -> np.ndarray:
    width = max(line.shape[1] for line in lines) + 2 * _MARGIN_PX
    parts = []
    for line in lines:
        right = width - line.shape[1] - _MARGIN_PX
        parts.append(np.pad(line, ((_MARGIN_PX, _MARGIN_PX), (_MARGIN_PX, right)), constant_values=255))
    return np.concatenate(parts)


def _read(sheet: np.ndarray) -> list[tuple[str, float]]:
    """Return (word, confidence in percent) of everything Tesseract finds."""
    header = f"P5 {sheet.shape[1]} {sheet.shape[0]} 255\n".encode()
    try:
        done = subprocess.run(
            _COMMAND, input=header + np.ascontiguousarray(sheet).tobytes(), capture_output=True, timeout=_SECONDS,
            env=os.environ | {"OMP_THREAD_LIMIT": "1"}, check=True,
        )  # fmt: skip
    except (OSError, subprocess.SubprocessError):
        raise Refusal(reasons.UNAUDITED_PIXELS, "optical character recognition failed") from None
    words = []
    for line in done.stdout.decode("utf-8", "replace").splitlines()[1:]:
        fields = line.split("\t")
        if len(fields) == 12 and fields[11].strip():
            words.append((fields[11].strip(), float(fields[10])))
    return words


def judge(words: list[tuple[str, float]], allowed: frozenset[str]) -> str | None:
    """Return the rule that these (word, confidence) break: a date, an identifying number, words outside the list.

    Ribs and wires are read as words too, but short ones of low confidence: evidence is added up over the picture.
    """
    evidence = 0.0
    for word, confidence in words:
        if re.search(r"\d{1,4}[./-]\d{1,2}[./-]\d{1,4}", word):
            return "burned-in date"
        if confidence >= _MIN_CONFIDENCE and (re.search(r"\d{5,}", word) or re.search(r"(\d[.() -]?){7,}", word)):
            return "burned-in number"
        share = confidence / 100.0
        for digits in re.findall(r"\d{2,}", word):
            if confidence >= _SURE_DIGITS:
                evidence += share * (0.6 if len(digits) >= 4 else 0.15)
        for letters in re.findall(r"[^\W\d_]{2,}", re.sub(_JOINTS, "", word)):
            if _is_allowed(letters.upper(), allowed):
                continue
            if len(letters) >= _LONG:
                return "burned-in text"
            if confidence >= _WEAK:
                evidence += share * (0.25 if len(letters) == 2 else min(len(letters), 6) / 4)
    return "burned-in text" if evidence >= _ENOUGH else None


def _is_allowed(word: str, allowed: frozenset[str]) -> bool:
    """Tell whether a word is a mark of the trade, as far as it was read: cut, misread in a letter, run together."""
    if word in allowed or any(word in other for other in allowed if len(other) > len(word) >= 3):
        return True
    return any(
        edit_distance(part, other, swaps=False) <= len(other) // 4
        for other in allowed if len(other) >= 4
        for part in _parts(word, len(other))
    )  # fmt: skip


def _parts(word: str, length: int) -> Iterator[str]:
    """Yield the word, and the parts of it that are as long as a long mark."""
    yield word
    if _LONG <= length < len(word) <= length + 4:
        yield from (word[at : at + length] for at in range(len(word) - length + 1))
