"""Near-duplicates: recall on altered copies, false links between patients, and the time of the search itself.

Run: ``.venv/bin/python benchmarks/near_duplicates.py [--images FOLDER]``, then ``--search``. Needs NIH's layout with
real radiographs (default ../shared/real/nih_cxr14); the timing uses 100,000 invented thumbnails with the spectrum of
the real ones.
"""

from __future__ import annotations

import argparse
import json
import os
import time
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")

import cv2
import numpy as np

from radia_pipeline.cohort import near_duplicates as near
from radia_pipeline.sources.nih_cxr14 import NihCxr14

HERE = Path(__file__).resolve().parent
CROP = 0.02
TIMED_IMAGES = 100_000


def windowed(image: np.ndarray, low: float, high: float) -> np.ndarray:
    """Return 8 bits of a window between two percentiles."""
    bottom, top = np.percentile(image, [low, high])
    return (np.clip((image - bottom) / max(top - bottom, 1), 0, 1) * 255).astype(np.uint8)


def jpeg(image: np.ndarray, quality: int) -> np.ndarray:
    """Return an image after one JPEG encoding."""
    return cv2.imdecode(cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, quality])[1], cv2.IMREAD_GRAYSCALE)


def copies(image: np.ndarray, rng: np.random.Generator) -> dict[str, np.ndarray]:
    """Return altered copies of a radiograph: resized, re-encoded, windowed, cropped by 2 % and all of it at once."""
    height, width = image.shape
    y, x = round(CROP * height), round(CROP * width)
    top, bottom, left, right = (
        rng.integers(0, y + 1),
        rng.integers(0, y + 1),
        rng.integers(0, x + 1),
        rng.integers(0, x + 1),
    )
    return {
        "resized to 256": cv2.resize(image, (256, 256), interpolation=cv2.INTER_AREA),
        "resized to 300 x 360": cv2.resize(image, (300, 360), interpolation=cv2.INTER_LINEAR),
        "enlarged to 1024": cv2.resize(image, (1024, 1024), interpolation=cv2.INTER_CUBIC),
        "16 bits": image.astype(np.uint16) * 257,
        "JPEG quality 50": jpeg(image, 50),
        "window 5-95 %": windowed(image, 5, 95),
        "window 15-99 %": windowed(image, 15, 99),
        "gamma 0.5": (255 * (image / 255.0) ** 0.5).astype(np.uint8),
        "2 % cropped, all sides": image[y : height - y, x : width - x],
        "2 % cropped, one corner": image[y:, x:],
        "2 % cropped at random": image[top : height - bottom, left : width - right],
        "cropped, windowed, resized, JPEG 70": jpeg(cv2.resize(windowed(image, 5, 95)[y:, x:], (400, 400)), 70),
    }


def found(image: np.ndarray, thumbnail: np.ndarray, vector: np.ndarray, copy: np.ndarray) -> bool:
    """Tell whether all four steps link a copy to its original."""
    other = near.thumbnail(copy.astype(np.float32))
    pair = np.stack([thumbnail, other])
    vectors = np.stack([vector, near.hashes(other[None])[0]])
    if vectors[0] @ vectors[1] <= near.CANDIDATE_SIMILARITY:
        return False
    if near.span_similarity(pair, vectors, np.array([0]), np.array([1]))[0] < near.SPAN_SIMILARITY:
        return False
    if near.thumbnail_similarity(thumbnail, other) < near.THUMBNAIL_SIMILARITY:
        return False
    return near.pixel_similarity(image, copy.astype(np.float32)) >= near.PIXEL_SIMILARITY


def recall(images: list[np.ndarray], every: int) -> dict[str, float]:
    """Return the share of copies found, for each kind of change."""
    rng = np.random.default_rng(0)
    hits: dict[str, list[bool]] = {}
    for image in images[::every]:
        thumbnail = near.thumbnail(image.astype(np.float32))
        vector = near.hashes(thumbnail[None])[0]
        for name, copy in copies(image, rng).items():
            hits.setdefault(name, []).append(found(image.astype(np.float32), thumbnail, vector, copy))
    return {name: float(np.mean(values)) for name, values in hits.items()}


def false_links(paths: list[Path], images: list[np.ndarray], patients: np.ndarray) -> dict[str, int]:
    """Return how many pairs of different patients pass each step, among all pairs."""
    thumbnails = np.stack([near.thumbnail(image.astype(np.float32)) for image in images])
    vectors = near.hashes(thumbnails)
    first = np.concatenate([pair[0] for pair in near.candidates(vectors)])
    second = np.concatenate([pair[1] for pair in near.candidates(vectors)])
    strangers = patients[first] != patients[second]
    a, b = near.search(thumbnails, lambda i, j: patients[i] != patients[j])
    same = sum(int((patients == name).sum()) * (int((patients == name).sum()) - 1) // 2 for name in np.unique(patients))
    return {
        "pairs of different patients": len(patients) * (len(patients) - 1) // 2 - same,
        "pass the hash": int(strangers.sum()),
        "pass span and thumbnail": len(a),
        "linked on pixels": len(near.confirm(paths, a, b)),
    }


def search_time(images: list[np.ndarray], count: int) -> dict[str, float]:
    """Return seconds of the search over invented thumbnails: normal draws with the mean and covariance of the real
    ones.
    """
    rng = np.random.default_rng(1)
    real = np.stack([near.thumbnail(image.astype(np.float32)) for image in images])
    real = real.reshape(len(images), -1).astype(np.float32)
    mean = real.mean(axis=0)
    _, spread, parts = np.linalg.svd(real - mean, full_matrices=False)
    scaled = parts * (spread / np.sqrt(len(real)))[:, None]
    side = near.THUMBNAIL_PX
    thumbnails = np.empty((count, side, side), dtype=np.uint8)
    for start in range(0, count, 1000):
        size = min(1000, count - start)
        drawn = mean + rng.standard_normal((size, len(scaled))).astype(np.float32) @ scaled
        thumbnails[start : start + size] = np.clip(drawn, 0, 255).reshape(-1, side, side)
    started, busy = time.perf_counter(), time.process_time()
    asked = [0]

    def everybody(first: np.ndarray, second: np.ndarray) -> np.ndarray:
        asked[0] += len(first)
        return np.ones(len(first), dtype=bool)

    pairs = near.search(thumbnails, everybody)[0]
    return {
        "images": count,
        "seconds": time.perf_counter() - started,
        "cpu_seconds": time.process_time() - busy,
        "pairs that pass the hash": asked[0],
        "pairs left for the pixels": len(pairs),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", type=Path, default=HERE.parents[1] / "shared" / "real" / "nih_cxr14")
    parser.add_argument("--every", type=int, default=1, help="recall on every n-th image")
    parser.add_argument("--timed", type=int, default=TIMED_IMAGES)
    parser.add_argument("--search", action="store_true", help="only the search; needs a quiet machine")
    arguments = parser.parse_args()
    cv2.setNumThreads(1)
    facts = NihCxr14().facts(arguments.images)
    paths = [arguments.images / path for path in sorted(facts)]
    images = [near.read_grey(path).astype(np.uint8) for path in paths]
    patients = np.array([facts[path].native_patient_id for path in sorted(facts)])
    if arguments.search:
        result: dict = {"search": search_time(images, arguments.timed)}
    else:
        found = recall(images, arguments.every)
        strangers = false_links(paths, images, patients)
        result = {"images": len(images), "recall": found, "least recall": min(found.values()), "strangers": strangers}
    print(json.dumps(result, indent=1))
    path = HERE / "results" / "near_duplicates.json"
    kept = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    path.write_text(json.dumps(kept | result, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
