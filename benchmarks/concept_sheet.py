"""What a trained recipe tells apart on films of a lake, whatever the class: a sheet of concepts to look at.

``python benchmarks/concept_sheet.py --lake LAKE --recipe demo_pcam --out /tmp/concepts.png``: films of validation, and
where on each its concepts are (``localisation.concepts``). Nothing is measured or kept: concepts depend on the films
that are looked at together.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import numpy as np

from radia_pipeline.contracts.pools import VALIDATION
from radia_pipeline.drawing.montage import Tile, montage
from radia_pipeline.lake.lake import Lake
from radia_pipeline.localisation.concepts import CONCEPTS, concepts
from radia_pipeline.localisation.explainer import Explainer, read_images
from radia_pipeline.training.studies import FRONTAL_ORDER

SIDE_PX = 192


def main() -> int:
    """Look at the films, factorize, draw."""
    import cv2
    import torch

    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--lake", type=Path, required=True)
    parser.add_argument("--recipe", default="demo_pcam")
    parser.add_argument("--films", type=int, default=8)
    parser.add_argument("--concepts", type=int, default=CONCEPTS)
    parser.add_argument("--out", type=Path, required=True)
    chosen = parser.parse_args()
    lake = Lake.open(chosen.lake)
    images = read_images(lake, lake.partitions("manifest")).where(pool={VALIDATION}, view=set(FRONTAL_ORDER))
    images = images.take(list(range(min(chosen.films, len(images)))))
    explainer = Explainer(lake, chosen.recipe, images, ())
    batch, _ = explainer.inputs(list(range(len(images))))
    with torch.no_grad():
        features = explainer.classifier.feature_map(batch).float().cpu().numpy()
    tiles = []
    for film, held in zip(batch[:, 0].numpy(), concepts(features, chosen.concepts), strict=True):
        grey = np.clip((film - film.min()) / max(float(np.ptp(film)), 1e-6), 0, 1)
        grey = cv2.resize((255 * grey).astype(np.uint8), (SIDE_PX, SIDE_PX), interpolation=cv2.INTER_AREA)
        pictures = [np.repeat(grey[..., None], 3, axis=2)]
        for one in held:
            there = cv2.resize(one, (SIDE_PX, SIDE_PX), interpolation=cv2.INTER_LINEAR)[..., None]
            pictures.append((pictures[0] * (1 - 0.6 * there) + np.array([240, 120, 0]) * 0.6 * there).astype(np.uint8))
        tiles.append(Tile(pictures))
    said = f"{chosen.recipe}: {chosen.concepts} concepts of {len(tiles)} films, those that explain most first"
    chosen.out.write_bytes(montage(tiles, heading=[said, "They belong to no class and depend on the films."]))
    print(chosen.out)
    return 0


if __name__ == "__main__":
    sys.exit(main())
