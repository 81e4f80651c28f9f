"""The exported detector at work: ONNX Runtime and numpy, no torch. What a clinic's server would load.

Not here: the export (``export``).
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from radia_pipeline.detection.decode import raw_to_boxes
from radia_pipeline.detection.spec import DetectorSpec
from radia_pipeline.errors import BadInput, NotTrained
from radia_pipeline.localisation.boxes import Boxes
from radia_pipeline.training.inputs import prepare

ONNX_FILE = "model.onnx"


class OnnxDetector:
    """An ONNX file and the spec by which its output is read."""

    def __init__(self, path: Path, spec: DetectorSpec, *, threads: int = 0) -> None:
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        self.spec = spec
        self._session = onnxruntime.InferenceSession(
            Path(path).read_bytes(), options, providers=["CPUExecutionProvider"]
        )

    @classmethod
    def load(cls, folder: Path, *, threads: int = 0) -> OnnxDetector:
        """Load ``model.onnx`` and ``model.json`` of a folder; raises NotTrained where one is missing."""
        folder = Path(folder)
        if missing := [name for name in (ONNX_FILE, "model.json") if not (folder / name).exists()]:
            raise NotTrained(f"The folder has no {', '.join(missing)}", do="export the detector to ONNX first")
        content = json.loads((folder / "model.json").read_text(encoding="utf-8"))
        return cls(folder / ONNX_FILE, DetectorSpec.from_json(content["spec"]), threads=threads)

    def raw(self, images: np.ndarray) -> list[np.ndarray]:
        """(N, C, S, S) float32 -> the raw head's outputs, as ``decode`` reads them.

        Raises BadInput for a batch of no image, or of another shape or type.
        """
        section = self.spec.input_section
        shape = (section.channel_count, section.size_px, section.size_px)
        if images.ndim != 4 or images.shape[1:] != shape or not len(images) or images.dtype != np.float32:
            raise BadInput(
                f"A batch of shape {images.shape} and type {images.dtype}",
                accepted=f"(N, {', '.join(map(str, shape))}) of float32, with one image or more",
                do="prepare images by the detector's own model.json, and leave empty batches out",
            )
        return self._session.run(None, {"images": images})

    def detect_array(self, image: np.ndarray, thresholds: Sequence[float] | float | None = None) -> Boxes:
        """Look at one stored image (H, W), uint8 or uint16, bright = dense; its image_id is empty.

        ``thresholds``: as ``decode.raw_to_boxes`` takes them.
        """
        tensor = prepare(image, self.spec.input_section)[None]
        return raw_to_boxes(self.raw(tensor), self.spec, [("", *image.shape)], thresholds)
