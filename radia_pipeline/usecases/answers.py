"""The answer for one study: what is said of its files, and figures only where there is a film that the models know.

Plain data, as ``data_contracts/answer.schema.json`` has it. Not here: reading files (``looking``), words for a terminal
(``answer_text``), pictures (``answer_maps``).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from radia_pipeline.contracts.vocabulary import vocabulary
from radia_pipeline.detection.decode import shown_boxes
from radia_pipeline.detection.onnx_model import OnnxDetector
from radia_pipeline.detection.prior import possible
from radia_pipeline.dicom.doubts import DOUBTS
from radia_pipeline.evaluation.answering import Answering
from radia_pipeline.evaluation.in_use import CHAMPION
from radia_pipeline.evaluation.serving import Seen
from radia_pipeline.training.inputs import GREY_MAX, to_channels
from radia_pipeline.training.studies import FRONTAL_ORDER, LATERAL, choose_views
from radia_pipeline.usecases.looking import Looked
from radia_pipeline.usecases.refusals import meaning, what_to_do

NOTICE = "research, not for diagnosis"
ANSWERED, REFUSED = "answered", "refused"
KNOWN, UNKNOWN, UNJUDGED = "known", "unknown", "unjudged"
"""Of a class: judged on validation; labelled by no source; labelled, with no positive study in validation."""
_DIGITS = 6


@dataclass
class _File:
    """A file on its way through the answer: what was seen of it, by model."""

    name: str
    looked: Looked
    seen: dict[str, Seen]
    distance: float | None = None
    is_used: bool = False

    @property
    def is_in(self) -> bool:
        return self.looked.reason is None

    def refuse(self, reason: str, detail: str | None = None) -> None:
        """Silence a file after all; nothing of it counts any more."""
        self.looked = replace(self.looked, reason=reason, detail=detail)

    def doubt(self, name: str, score: float = 1.0) -> None:
        """Add a doubt that does not silence."""
        self.looked = replace(self.looked, doubts=(*self.looked.doubts, (name, score)))


@dataclass(frozen=True)
class Reader:
    """What answers: the ensemble and, where the lake has one, the detector with the fingerprint of its model."""

    ready: Answering
    detector: OnnxDetector | None = None
    detector_fingerprint: str | None = None

    def model(self) -> dict[str, Any]:
        """Return which model answers, as an answer's head has it; of a champion what a person approved it for."""
        using = self.ready.using
        told = {
            "kind": using.kind,
            "rule": using.ensemble.rule,
            "members": dict(self.ready.fingerprints),
            "ensemble": using.ensemble_version,
            "detector": self.detector_fingerprint,
        }
        if using.kind != CHAMPION:
            return told
        return {**told, "release": using.release, "standing": using.standing, "stated_shift": using.stated_shift}

    @property
    def sides_px(self) -> tuple[int, ...]:
        """Sides of the squares that are wanted of each picture."""
        more = (self.detector.spec.size_px,) if self.detector else ()
        return tuple(sorted({*self.ready.sides_px, *more}))

    def square(self, looked: Looked, side_px: int) -> np.ndarray:
        """Return a picture's square of a side."""
        return looked.squares[self.sides_px.index(side_px)]

    def answer(self, number: int, named: Sequence[tuple[str, Looked]]) -> dict[str, Any]:
        """Return the answer for the study of these files; a study without a usable film is refused, with no figure."""
        files = [_File(name, looked, {}) for name, looked in named]
        for file in files:
            if file.is_in:
                self._see(file)
        logits = self._study_logits(files)
        answer: dict[str, Any] = {"study": number, "status": REFUSED if logits is None else ANSWERED}
        answer["views"] = [file.looked.view for file in files if file.is_used]
        if logits is not None:
            probability = {name: self.ready.models[name].probabilities(rows)[None] for name, rows in logits.items()}
            mixed = self.ready.ensemble.predict(probability)[1][0]
            answer |= self._figures(mixed)
            answer["boxes"] = [box for file in files if file.is_used for box in self._boxes(file, mixed)]
        answer["files"] = [_told(file) for file in files]
        return answer

    def _see(self, file: _File) -> None:
        """Show a picture to every model; what they do not know is silenced."""
        ready, slot = self.ready, int(file.looked.view == LATERAL)
        for name, model in ready.models.items():
            file.seen[name] = model.look(self.square(file.looked, model.input.size_px), slot)
        distances = {name: ready.gaussians[name].distance(seen.features)[0] for name, seen in file.seen.items()}
        file.distance = ready.threshold.score(distances)
        if file.distance > 1.0:
            file.refuse("unfamiliar", f"{file.distance:.2f} times the threshold")
        elif file.looked.laid_out is not None and ready.threshold.sides.is_mirrored(file.looked.laid_out):
            file.doubt("mirrored")

    def _study_logits(self, files: list[_File]) -> dict[str, np.ndarray] | None:
        """Return {model: (V, 21)} of the views that each model reads, None where one of them can read none."""
        inside = [file for file in files if file.is_in]
        images = [(file.looked.view, file.looked.content, place) for place, file in enumerate(inside)]
        chosen = {
            name: [place for place in choose_views(images, model.views) if place is not None]
            for name, model in self.ready.models.items()
        }
        if not inside or not all(chosen.values()):
            for file in inside:
                file.refuse("no_frontal")
            return None
        for file in (inside[place] for places in chosen.values() for place in places):
            file.is_used = True
        if not any(file.looked.view in FRONTAL_ORDER for file in inside):
            for file in inside:
                file.doubt("lateral_alone")
        return {name: np.stack([inside[p].seen[name].logits for p in places]) for name, places in chosen.items()}

    def _figures(self, probability: np.ndarray) -> dict[str, Any]:
        words = vocabulary()
        rows = {name: self._class(name, float(probability[words.index(name)])) for name in words.classes}
        normal = rows[words.no_finding]
        groups = [name for name in words.classes if name in (*words.unions, *words.finding_groups)]
        return {
            "normal": normal,
            "abnormal": _opposite(normal),
            "groups": [rows[name] for name in groups],
            "classes": [rows[name] for name in words.pathologies],
            "called": [name for name in (*groups, *words.pathologies) if rows[name]["called"]],
        }

    def _class(self, name: str, probability: float) -> dict[str, Any]:
        place = vocabulary().index(name)
        cut = float(self.ready.ensemble.thresholds[place])
        if name in self.ready.unknown:
            return _row(name, UNKNOWN)
        if not np.isfinite(cut):
            return _row(name, UNJUDGED, probability)
        found = self.ready.reliability.of(place, probability)
        so_far = None if found is None else {key: _rounded(value) for key, value in vars(found).items()}
        return _row(name, KNOWN, probability, cut, probability >= cut, so_far)

    def _boxes(self, file: _File, probability: np.ndarray) -> list[dict[str, Any]]:
        """Return the detector's boxes on a frontal film at its working point, in pixels of the picture as delivered,
        best first. ``probability``: what the ensemble says of the study, (21,)."""
        if self.detector is None or file.looked.view == LATERAL:
            return []
        spec = self.detector.spec
        square = self.square(file.looked, spec.size_px)
        tensor = to_channels(square.astype(np.float32) / GREY_MAX, spec.input_section)[None]
        prior = probability[[vocabulary().index(name) for name in spec.classes]][None]
        there = possible(probability[None], self.ready.ensemble.thresholds, spec.classes)
        found = shown_boxes(self.detector.raw(tensor), spec, [("", *file.looked.stored)], prior, there)
        scale = np.array(file.looked.native[::-1] * 2) / np.array(file.looked.stored[::-1] * 2)
        rows = []
        for label, corners, score in zip(found.label, found.corners * scale, found.score):
            left, top, right, bottom = (round(float(edge), 1) for edge in corners)
            size = {"x_px": left, "y_px": top, "width_px": right - left, "height_px": bottom - top}
            rows.append({"file": file.name, "class": str(label), "score": _rounded(float(score)), **size})
        return rows


def _row(
    name: str,
    status: str,
    probability: float | None = None,
    threshold: float | None = None,
    called: bool | None = None,
    so_far: dict[str, Any] | None = None,
) -> dict[str, Any]:
    return {
        "class": name,
        "status": status,
        "probability": _rounded(probability),
        "threshold": _rounded(threshold),
        "called": None if called is None else bool(called),
        "so_far": so_far,
    }


def _opposite(normal: dict[str, Any]) -> dict[str, Any]:
    """Return the row of "abnormal" from that of No Finding: every figure from the other side."""

    def other(value: float | None) -> float | None:
        return None if value is None else _rounded(1.0 - value)

    seen = normal["so_far"]
    turned = seen and {
        "share": other(seen["share"]),
        "low": other(seen["high"]),
        "high": other(seen["low"]),
        "studies": seen["studies"],
    }
    called = None if normal["called"] is None else not normal["called"]
    return {
        **normal,
        "class": "abnormal",
        "probability": other(normal["probability"]),
        "threshold": other(normal["threshold"]),
        "called": called,
        "so_far": turned,
    }


def _told(file: _File) -> dict[str, Any]:
    """Return what is said of one file."""
    looked, reason = file.looked, file.looked.reason
    flags = [
        {"flag": name, "score": _rounded(score), "means": meaning(name), "do": what_to_do(name)}
        for name, score in looked.doubts
        if not DOUBTS[name].silences
    ]
    return {
        "file": file.name,
        "status": ANSWERED if reason is None else REFUSED,
        "used": file.is_used and reason is None,
        "view": looked.view,
        "view_origin": looked.view_origin,
        "distance": None if file.distance is None else _rounded(file.distance),
        "reason": reason,
        "detail": looked.detail,
        "means": None if reason is None else meaning(reason),
        "do": None if reason is None else what_to_do(reason),
        "flags": flags,
    }


def _rounded(value: Any) -> Any:
    return round(value, _DIGITS) if isinstance(value, float) else value
