"""A finished classifier as it answers: ONNX Runtime and numpy, no torch; three times as fast on a processor.

The folder ``serving`` beside a model: an ONNX file for each branch of weights (images (N, C, S, S) -> logits (N, 21),
features (N, 2F): mean and deviation over positions), and ``serving.json``, written last. Images are looked at one by
one, so that an answer never depends on what else was asked. A network that cannot be exported answers by torch
(``serving_export``, which makes these files too).

Legend: V views, F features, 21 classes in vocabulary order.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from radia_pipeline.contracts.choices import Table
from radia_pipeline.contracts.vocabulary import vocabulary
from radia_pipeline.errors import DamagedFile, NotTrained
from radia_pipeline.training.inputs import GREY_MAX, to_channels
from radia_pipeline.training.recipe_schema import InputSection, ViewsSection

SERVING_VERSION = 2
"""Changes when these files change their form; older ones are made again."""
FOLDER, CARD = "serving", "serving.json"
OUTPUTS = ("logits", "features")


@dataclass(frozen=True)
class Seen:
    """One image as one model sees it: ``logits`` (21,), ``features`` (2F,), float64."""

    logits: np.ndarray
    features: np.ndarray


class ServedModel:
    """A classifier ready to answer. ``input`` and ``views``: what its recipe says of them."""

    def __init__(self, folder: Path, card: dict[str, Any], *, threads: int = 0) -> None:
        self._folder, self._card, self._threads = folder, card, threads
        self.input, self.views = InputSection(**card["input"]), ViewsSection(**card["views"])

    @classmethod
    def load(cls, model_dir: Path, *, threads: int = 0) -> ServedModel:
        """Open the serving form of a model; raises NotTrained where it has none of this version."""
        card = served_card(model_dir)
        if card is None:
            raise NotTrained("The model has no serving form yet", do="predict once, or run `radia run`")
        return cls(model_dir / FOLDER, card, threads=threads)

    def look(self, square: np.ndarray, slot: int = 0) -> Seen:
        """Look at a letterboxed image (S, S) uint16; ``slot`` 1 is the lateral branch of separate weights."""
        logits, features = self._run(to_channels(square.astype(np.float32) / GREY_MAX, self.input)[None], slot)
        return Seen(logits[0].astype(np.float64), features[0].astype(np.float64))

    def probabilities(self, logits: np.ndarray) -> np.ndarray:
        """Return a study's probabilities (21,) from the logits of its views (V, 21), V at least 1."""
        mixed = COMBINED[self.views.combine](np.asarray(logits, dtype=np.float64))
        own = -np.logaddexp(0.0, -(mixed - np.array(self._card["prior_shift"])))
        return np.exp(INFERRED[self._card["inference"]](own))

    def _run(self, images: np.ndarray, slot: int) -> tuple[np.ndarray, np.ndarray]:
        """(N, C, S, S) -> logits (N, 21), features (N, 2F)."""
        session = self._sessions[min(slot, len(self._sessions) - 1)]
        logits, features = session.run(list(OUTPUTS), {"images": images})
        return logits, features

    @cached_property
    def _sessions(self) -> list:
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = self._threads
        options.log_severity_level = 3
        try:
            return [
                onnxruntime.InferenceSession(
                    (self._folder / name).read_bytes(), options, providers=["CPUExecutionProvider"]
                )
                for name in self._card["files"]
            ]
        except Exception as error:  # ONNX Runtime's own errors share no base
            raise DamagedFile(
                f"The serving form of a model cannot be read ({type(error).__name__})",
                do=f"delete the folder {FOLDER} beside the model; it is made again",
            ) from None


def served_card(model_dir: Path) -> dict[str, Any] | None:
    """Return ``serving.json`` of a model, None where there is none of this version that is whole."""
    try:
        card = json.loads((model_dir / FOLDER / CARD).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    is_current = isinstance(card, dict) and card.get("serving_version") == SERVING_VERSION
    if not is_current or not all((model_dir / FOLDER / name).is_file() for name in card["files"]):
        return None
    vocabulary().require(card["vocabulary_version"], f"The model {model_dir.name}")
    return card


# What follows is ``training.views`` and ``training.hierarchy`` without torch; a test holds both together, name by name.
def _total(logits: np.ndarray) -> np.ndarray:
    return logits.sum(axis=0)


def _mean(logits: np.ndarray) -> np.ndarray:
    return logits.mean(axis=0)


def _highest(logits: np.ndarray) -> np.ndarray:
    return logits.max(axis=0)


def _log_mean_exp(logits: np.ndarray) -> np.ndarray:
    return np.logaddexp.reduce(logits, axis=0) - np.log(len(logits))


def _as_it_is(own: np.ndarray) -> np.ndarray:
    return own


def _chain_down(own: np.ndarray) -> np.ndarray:
    words, result = vocabulary(), own.copy()
    for name in words.topological:
        if parents := words.parents(name):
            place = words.index(name)
            result[place] = own[place] + min(result[words.index(parent)] for parent in parents)
    return result


COMBINED = Table("combination of views", {"sum": _total, "mean": _mean, "max": _highest, "logsumexp": _log_mean_exp})
"""Logits (V, 21) -> (21,)."""
INFERRED = Table("inference", {"plain": _as_it_is, "hierarchy": _chain_down})
"""A class's own log P (21,) -> the one that is told (21,)."""
