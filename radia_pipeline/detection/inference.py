"""The detector at work: stored images in, boxes in pixels of the stored images out.

Here: reading images, batches, the way back from the square input. Not here: the network (``model``), the reading of its
raw output (``decode``).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pyarrow as pa
import torch

from radia_pipeline.detection import store
from radia_pipeline.detection.decode import raw_to_boxes, shown_boxes
from radia_pipeline.detection.onnx_model import ONNX_FILE, OnnxDetector
from radia_pipeline.detection.prior import Prior
from radia_pipeline.errors import DamagedFile
from radia_pipeline.lake.lake import Lake
from radia_pipeline.localisation.boxes import Boxes
from radia_pipeline.training.inputs import prepare

BATCH = 16
READERS = 2
SCHEMA = pa.schema(
    [
        ("source", pa.string()),
        ("image_id", pa.string()),
        ("study_id", pa.string()),
        ("box_index", pa.int32()),
        ("class", pa.string()),
        ("x_px", pa.float64()),
        ("y_px", pa.float64()),
        ("width_px", pa.float64()),
        ("height_px", pa.float64()),
        ("score", pa.float64()),
    ]
)


class TorchDetector:
    """The trained network with the door of an exported one."""

    def __init__(self, model_dir: Path, device: torch.device) -> None:
        self._network, self._device = store.load_detector(model_dir).to(device), device
        self.spec = self._network.spec

    @torch.no_grad()
    def raw(self, images: np.ndarray) -> list[np.ndarray]:
        """(N, C, S, S) float32 -> the raw head's outputs, as ``decode`` reads them."""
        return [output.float().cpu().numpy() for output in self._network(torch.from_numpy(images).to(self._device))]


def opened(model_dir: Path) -> OnnxDetector | TorchDetector:
    """The detector of a folder, where it is fastest: torch on a GPU, else ONNX Runtime if the network was exported."""
    if torch.cuda.is_available():
        return TorchDetector(model_dir, torch.device("cuda"))
    store.read_spec(model_dir)  # says in words what does not fit
    if (model_dir / ONNX_FILE).exists():
        return OnnxDetector.load(model_dir, threads=torch.get_num_threads())
    return TorchDetector(model_dir, torch.device("cpu"))


def detect(
    lake: Lake,
    images: pa.Table | Iterable[dict[str, Any]],
    *,
    model_dir: Path | None = None,
    name: str | None = None,
    prior: Prior | None = None,
    shown: bool = False,
) -> pa.Table:
    """Look at stored images: a table of ``SCHEMA``, a row per box, best first, in pixels of the stored image.

    ``images``: rows with source, image_id, study_id and path (as in ``images`` and ``manifest``). Without
    ``model_dir`` the newest model (of that name) looks; as ONNX where it was exported and no GPU is there.
    ``shown``: only what people are shown, at the working point; by default every box that is made. ``prior``: what the
    ensemble says of the studies. Raises NotTrained, and DamagedFile where an image is absent or broken.
    """
    wanted = ["source", "image_id", "study_id", "path"]
    rows = images.select(wanted).to_pylist() if isinstance(images, pa.Table) else list(images)
    detector = opened(model_dir or store.latest_detector(lake, name))
    found = Boxes.joined(_look(lake, detector, rows, prior, shown))
    return boxes_table(found, rows)


def boxes_table(boxes: Boxes, rows: Sequence[dict[str, Any]]) -> pa.Table:
    """Boxes as a table of ``SCHEMA``, in the order of ``rows`` (source, image_id, study_id), best first in each."""
    members: dict[str, list[int]] = {}
    for index in np.argsort(-boxes.score, kind="stable"):
        members.setdefault(boxes.image_id[index], []).append(int(index))
    out = []
    for row in rows:
        for number, index in enumerate(members.get(row["image_id"], [])):
            left, top, right, bottom = boxes.corners[index].tolist()
            out.append(
                {
                    "source": row["source"],
                    "image_id": row["image_id"],
                    "study_id": row["study_id"],
                    "box_index": number,
                    "class": boxes.label[index],
                    "x_px": left,
                    "y_px": top,
                    "width_px": right - left,
                    "height_px": bottom - top,
                    "score": float(boxes.score[index]),
                }
            )
    return pa.Table.from_pylist(out, schema=SCHEMA)


def _look(
    lake: Lake,
    detector: OnnxDetector | TorchDetector,
    rows: list[dict[str, Any]],
    prior: Prior | None,
    shown: bool,
) -> Iterable[Boxes]:
    section = detector.spec.input_section

    def load(row: dict[str, Any]) -> tuple[np.ndarray, tuple[str, int, int]]:
        image = cv2.imread(str(lake.root / row["path"]), cv2.IMREAD_UNCHANGED)
        if image is None:
            raise DamagedFile(
                f"The stored image {row['image_id']} is absent or broken", do="materialize images of its source again"
            )
        return prepare(image, section), (row["image_id"], *image.shape)

    with ThreadPoolExecutor(READERS) as pool:
        for first in range(0, len(rows), BATCH):
            loaded = list(pool.map(load, rows[first : first + BATCH]))
            batch, names = np.stack([tensor for tensor, _ in loaded]), detector.spec.classes
            studies = [row["study_id"] for row in rows[first : first + BATCH]]
            known = prior.of(studies, names) if prior and detector.spec.prior_weight else None
            raw, facts = detector.raw(batch), [facts for _, facts in loaded]
            if shown:
                possible = prior.possible(studies, names) if prior else None
                yield shown_boxes(raw, detector.spec, facts, known, possible)
            else:
                yield raw_to_boxes(raw, detector.spec, facts, prior=known)
