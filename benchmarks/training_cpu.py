"""Training on a CPU, measured in one run: loader against torch DataLoaders, step against a bare timm loop, PCAM's
one-step form against the published two steps.

The loaders give the same images with the same transforms by the same number of workers, which live on between epochs;
the first epoch of each is not counted. One DataLoader decodes the stored PNG files as most projects do, the other reads
the rows that our loader reads: what is left between the two of us is threads against worker processes.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pyarrow.compute as pc
import torch
from torch.utils.data import DataLoader, Dataset

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # runs from a checkout, installed or not
from radia_pipeline.contracts.pools import TRAIN, VALIDATION
from radia_pipeline.contracts.vocabulary import vocabulary
from radia_pipeline.lake.lake import Lake
from radia_pipeline.training import augmentation
from radia_pipeline.training.heads import PcamHead
from radia_pipeline.training.inputs import GREY_MAX, letterbox, to_channels
from radia_pipeline.training.models import Classifier
from radia_pipeline.training.outcome import Runtime
from radia_pipeline.training.preparation import Pools, prepare_pools
from radia_pipeline.training.recipes import parse_recipe
from radia_pipeline.training.sampler import generator
from radia_pipeline.training.studies import read_manifest
from radia_pipeline.training.trainer import _Run

RESULT = Path(__file__).parent / "results" / "training_cpu.json"
SIDE_PX, WORKERS, BATCH = 224, 2, 32
AUGMENTATION = {
    "affine": {"p": 0.8},
    "jitter": {"p": 0.8},
    "flip": {"p": 0.5},
    "grid": {"p": 0.1},
    "elastic": {"p": 0.1},
}


def make_lake(root: Path, images: int, stored_px: int) -> Lake:
    """A lake of noise that is as large as the stored images (longest side 1024)."""
    lake, random = Lake.open(root), np.random.default_rng(0)
    noises = [random.normal(scale=0.02, size=(stored_px, stored_px)).astype(np.float32) for _ in range(8)]
    field = cv2.GaussianBlur(random.normal(size=(stored_px, stored_px)).astype(np.float32), (0, 0), 6)
    rows = []
    for number in range(images):
        noise = np.roll(noises[number % len(noises)], number * 11, axis=0)
        grey = cv2.normalize(np.roll(field, number * 37, axis=1) + noise, None, 0, 65535, cv2.NORM_MINMAX)
        name = f"{number:032x}"
        path = Path("pixels") / "nih_cxr14" / f"{name}.png"
        (lake.root / path).parent.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(lake.root / path), grey.astype(np.uint16))
        rows.append(
            {
                "source": "nih_cxr14",
                "image_id": name,
                "study_id": name,
                "patient_key": name,
                "group_id": name,
                "path": path.as_posix(),
                "view": "PA",
                "width_px": stored_px,
                "height_px": stored_px,
                **dict.fromkeys(vocabulary().classes, number % 2),
                "pool": VALIDATION if number < 8 else TRAIN,
                "fold": 0 if number >= 8 else None,
                "weight": 1.0,
                "excluded": None,
                "boxes": [],
            }
        )
    lake.write("manifest", rows, partition="nih_cxr14")
    return lake


def recipe(**sections):
    """The measured recipe: DenseNet-121-type, one channel."""
    content = {
        "name": "measured",
        "input": {"size_px": SIDE_PX},
        "views": {"use": "frontal"},
        "augmentation": AUGMENTATION,
        "model": {"backbone": "densenet121"},
        "training": {"batch_size": BATCH, "max_epochs": 1},
        "optimizer": {"clip_norm": 1.0},
        "stopping": {"min_positives": 1},
    }
    return parse_recipe({**content, **sections})


class Transformed(Dataset):
    """Our transforms in a torch worker; where the pixels come from is the difference."""

    def __init__(self, sources: list, chosen) -> None:
        self.sources, self.recipe = sources, chosen

    def __len__(self) -> int:
        return len(self.sources)

    def pixels(self, index: int) -> np.ndarray:
        """(S, S) uint16."""
        raise NotImplementedError

    def __getitem__(self, index: int) -> torch.Tensor:
        cv2.setNumThreads(0)
        section = self.recipe.augmentation
        grey = self.pixels(index).astype(np.float32) / GREY_MAX
        drawn = augmentation.draw(generator(0, "sample", 0, index), section, SIDE_PX)
        return torch.from_numpy(to_channels(augmentation.apply(grey, drawn, section), self.recipe.input))


class PngFiles(Transformed):
    """What most projects do: decode and resize in the worker."""

    def pixels(self, index: int) -> np.ndarray:
        """(S, S) uint16."""
        return letterbox(cv2.imread(str(self.sources[index]), cv2.IMREAD_UNCHANGED), SIDE_PX)


class PackedRows(Transformed):
    """The rows that our loader reads, mapped into memory, without its checksums."""

    def pixels(self, index: int) -> np.ndarray:
        """(S, S) uint16."""
        return self.sources[index]


def images_per_second(batches: Callable, count: int) -> float:
    """Exhaust one epoch of batches."""
    begun = time.perf_counter()
    seen = sum(len(batch) for batch in batches())
    assert seen >= count
    return seen / (time.perf_counter() - begun)


def loader_speed(lake: Lake, chosen, pools: Pools) -> dict[str, float]:
    """Alternate the loaders four times; the median of each one's last three."""
    rows = lake.read("manifest").filter(pc.field("pool") == TRAIN)
    paths = [lake.root / path for path in rows.column("path").to_pylist()]
    stored = np.memmap(next(lake.packed_dir.glob("*/*/images.u16")), dtype=np.uint16, mode="r")
    stored = stored.reshape(-1, SIDE_PX, SIDE_PX)[: len(paths)]
    shared = {
        "batch_size": BATCH,
        "num_workers": WORKERS,
        "shuffle": True,
        "drop_last": True,
        "persistent_workers": True,
    }
    png, packed = (
        DataLoader(kind(source, chosen), **shared) for kind, source in ((PngFiles, paths), (PackedRows, stored))
    )
    count = len(pools.training.studies) // BATCH * BATCH
    loaders = {
        "ours": lambda: (batch.images for batch in pools.training.training(0)),
        "png": lambda: png,
        "packed": lambda: packed,
    }
    speeds: dict[str, list[float]] = {name: [] for name in loaders}
    for _ in range(4):
        for name, batches in loaders.items():
            speeds[name].append(images_per_second(batches, count))
    ours, png_speed, packed_speed = (statistics.median(found[1:]) for found in speeds.values())
    return {
        "images": count,
        "workers": WORKERS,
        "packed_images_per_s": ours,
        "png_images_per_s": png_speed,
        "ratio": ours / png_speed,
        "dataloader_over_packed_images_per_s": packed_speed,
        "ratio_over_packed": ours / packed_speed,
    }


def step_overhead(lake: Lake, manifest, chosen, steps: int) -> dict[str, float]:
    """Our whole step (guard, schedule, seeds, picture apart) against forward, loss, backward, clip, step of timm.

    Steps go in pairs and the median ratio counts: the least of a few steps gave -39 % to +13 % beside other programs.
    """
    run = _Run(chosen, lake, lake.root / "run", "x" * 16, Runtime(workers=1), lambda _event: None)
    run.prepare(manifest, resume=False)
    run.has_picture = True
    run.state.train_mode()
    batch = next(run.pools.training.training(0))
    bare = _bare_step(batch.images[:, 0], batch.targets)
    pairs: list[tuple[list[float], list[float]]] = []
    run._step(batch), bare()
    for _ in range(steps):
        pairs.append((timed(lambda: run._step(batch)), timed(bare)))
    wall, cpu = (statistics.median(ours[i] / theirs[i] for ours, theirs in pairs) - 1 for i in (0, 1))
    ours_s, theirs_s = (statistics.median(pair[i][0] for pair in pairs) for i in (0, 1))
    return {"our_step_s": ours_s, "bare_step_s": theirs_s, "overhead": wall, "overhead_cpu_time": cpu, "pairs": steps}


def timed(step: Callable[[], None]) -> list[float]:
    """Seconds on the clock and of all threads: where other programs run, only the second is ours alone."""
    begun, cpu = time.perf_counter(), time.process_time()
    step()
    return [time.perf_counter() - begun, time.process_time() - cpu]


def _bare_step(images: torch.Tensor, targets: torch.Tensor) -> Callable[[], None]:
    import timm

    net = timm.create_model("densenet121", in_chans=1, num_classes=targets.shape[1])
    net = net.to(memory_format=torch.channels_last).train()
    optimizer = torch.optim.AdamW(net.parameters(), lr=1e-5)
    images = images.contiguous(memory_format=torch.channels_last)

    def step() -> None:
        loss = torch.nn.functional.binary_cross_entropy_with_logits(net(images), targets)
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(net.parameters(), 1.0)
        optimizer.step()
        float(loss.detach())

    return step


def pcam_speed(repeats: int) -> dict[str, float]:
    """One-step PCAM against the published two steps, forward and backward, 21 classes of 1024 features at 12 × 12."""
    head, features = PcamHead(1024, 21, 0.0), torch.randn(16, 1024, 12, 12, requires_grad=True)

    def published() -> torch.Tensor:
        weight = torch.sigmoid(head.maps(features))
        weight = weight / weight.sum(dim=(2, 3), keepdim=True)
        pooled = torch.einsum("nchw,nfhw->ncf", weight, features)
        return (pooled * head.layer.weight.flatten(1)).sum(dim=2) + head.layer.bias

    times: dict[str, list[float]] = {"one": [], "two": []}
    for _ in range(repeats):
        for name, form in (("one", lambda: head(features)), ("two", published)):
            begun = time.perf_counter()
            form().sum().backward()
            times[name].append(time.perf_counter() - begun)
    one, two = min(times["one"]), min(times["two"])
    return {"one_step_ms": one * 1e3, "two_steps_ms": two * 1e3, "ratio": two / one}


def main() -> None:
    """Measure and keep the result."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", type=int, default=1032)
    parser.add_argument("--stored-px", type=int, default=1024)
    parser.add_argument("--steps", type=int, default=12)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        lake = make_lake(Path(folder), options.images, options.stored_px)
        manifest, _ = read_manifest(lake, None)
        chosen = recipe()
        pools = prepare_pools(chosen, lake, manifest, Runtime(workers=WORKERS), lambda _event: None)
        loader = loader_speed(lake, chosen, pools)
        print(json.dumps(loader), flush=True)
        result = {
            "threads": torch.get_num_threads(),
            "stored_px": options.stored_px,
            "load": os.getloadavg()[0],
            "loader": loader,
            "step": step_overhead(lake, manifest, recipe(training={"batch_size": 8, "max_epochs": 1}), options.steps),
            "pcam": pcam_speed(20),
            "parameters": sum(p.numel() for p in Classifier(chosen).parameters()),
        }
    RESULT.parent.mkdir(exist_ok=True)
    RESULT.write_text(json.dumps(result, indent=1) + "\n")
    print(json.dumps(result, indent=1))
    print(
        f"loader: {result['loader']['ratio']:.1f} x a DataLoader over PNG files, "
        f"{result['loader']['ratio_over_packed']:.1f} x one over the same packed rows"
    )
    print(f"step: {result['step']['overhead']:+.1%} against a bare timm loop")
    print(f"PCAM: {result['pcam']['ratio']:.1f} x its two-step form")


if __name__ == "__main__":
    main()
