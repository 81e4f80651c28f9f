"""Reading print in a picture: RapidOCR's detector and recogniser, whose models lie in its wheel. It needs no network.

Belongs here: where text stands, what it says and how sure the reader is. Does not belong here: what a word means for a
person (``prints``). The models are loaded once a process, on one thread; nothing that was read leaves the gate.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any, NamedTuple, cast

import numpy as np

if TYPE_CHECKING:
    from rapidocr import RapidOCR
    from rapidocr.utils.output import RapidOCROutput

DETECTION_SIDE_PX, READING_SIDE_PX = 736, 2000
"""Longest sides of the picture in which text is looked for, and of the one from which it is then read. Looking in 1024
finds no more and costs twice as much."""
BOX_THRESHOLD = 0.35
"""The package's own .5 loses a tenth of the prints that this finds."""
_LEAST_SIDE_PX = 32
_MOST_OF_THE_SIDE = 0.3
"""Height of letters, as a share of the longest side, above which shapes are anatomy: print has half of it at most."""


class Box(NamedTuple):
    """An upright rectangle around a line, in pixels of the reader's picture."""

    left: float
    top: float
    right: float
    bottom: float


@dataclass(frozen=True)
class Line:
    """What was read in one place. ``height_px``: of the letters, about, in pixels of the reader's picture."""

    text: str
    confidence: float
    box: Box
    height_px: float


def lines(shown: np.ndarray) -> list[Line]:
    """Return the lines of text in a picture (H, W) in [0, 65535], as far as they can be read."""
    picture = _for_reader(shown)
    if min(picture.shape[:2]) < _LEAST_SIDE_PX:
        return []
    found: RapidOCROutput = cast(Any, _reader()(picture))  # of all its steps, which it is made with
    if found.boxes is None or found.txts is None or found.scores is None:
        return []
    read = (_line(*one) for one in zip(found.txts, found.scores, found.boxes, strict=True))
    return [line for line in read if line.height_px <= _MOST_OF_THE_SIDE * max(picture.shape)]


def load() -> None:
    """Load the models, each of which is opened at its first use, so that the first picture does not wait for them."""
    import cv2

    picture = np.zeros((128, 512, 3), np.uint8)
    _reader()(cv2.putText(picture, "PORTABLE", (40, 90), cv2.FONT_HERSHEY_SIMPLEX, 2.0, (255, 255, 255), 4))


@cache
def _reader() -> RapidOCR:
    import cv2
    from rapidocr import RapidOCR

    cv2.setNumThreads(1)
    threads = {f"EngineConfig.onnxruntime.{kind}_op_num_threads": 1 for kind in ("intra", "inter")}
    return RapidOCR(
        params={
            "Global.log_level": "critical",
            "Global.text_score": 0.0,
            "Global.max_side_len": READING_SIDE_PX,
            "Det.box_thresh": BOX_THRESHOLD,
            "Det.limit_type": "max",
            "Det.limit_side_len": DETECTION_SIDE_PX,
            "EngineConfig.onnxruntime.enable_cpu_mem_arena": True,
            **threads,
        }
    )


def _for_reader(shown: np.ndarray) -> np.ndarray:
    """Return (H, W, 3) uint8 of at most READING_SIDE_PX, areas averaged."""
    import cv2

    picture: np.ndarray = np.ascontiguousarray(shown, np.float32)
    share = READING_SIDE_PX / max(picture.shape)
    if share < 1:
        size = (max(1, round(picture.shape[1] * share)), max(1, round(picture.shape[0] * share)))
        picture = cv2.resize(picture, size, interpolation=cv2.INTER_AREA)
    grey = np.clip(picture * (255 / 65535) + 0.5, 0, 255).astype(np.uint8)
    return cv2.cvtColor(grey, cv2.COLOR_GRAY2BGR)


def _line(text: str, confidence: float, corners: np.ndarray) -> Line:
    x, y = corners[:, 0], corners[:, 1]
    sides = np.hypot(*(corners - np.roll(corners, 1, axis=0)).T)
    return Line(text, float(confidence), Box(x.min(), y.min(), x.max(), y.max()), float(sides.min()))
