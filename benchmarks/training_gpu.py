"""Training on a GPU, in one short run: throughput beside timm's own loop for three models, validation's share, memory
with and without activation checkpointing, the loader's share, where time goes.

Self-contained for a bare GPU machine: a checkout of this repository, torch, timm, numpy, pyarrow, OpenCV, pydantic,
PyYAML, safetensors. Without a GPU it says so and runs the CPU part (``training_cpu.py``); nothing is then claimed
about GPUs.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import timm
import torch

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # a bare GPU machine has a checkout, no installation
sys.path.insert(0, str(Path(__file__).parent))
from training_cpu import AUGMENTATION, make_lake

from radia_pipeline.training.outcome import Runtime
from radia_pipeline.training.preparation import Pools, prepare_pools
from radia_pipeline.training.recipes import parse_recipe
from radia_pipeline.training.studies import read_manifest
from radia_pipeline.training.trainer import _Run

RESULT = Path(__file__).parent / "results" / "training_gpu.json"
CASES = (("densenet121", 384, 64), ("efficientnet_b4", 380, 64), ("convnext_large", 384, 32))
"""Model, side, batch."""
POOLS = 8
"""Studies of the training pool for each of validation: pools are 80/10/10."""
WARM_UP = 5


def chosen(model: str, side: int, batch: int, images: int):
    """The recipe of one case: bf16, channels_last, one channel, one view."""
    return parse_recipe(
        {
            "name": "measured",
            "input": {"size_px": side},
            "views": {"use": "frontal"},
            "augmentation": AUGMENTATION,
            "model": {"backbone": model},
            "data": {"samples_per_epoch": max(images, batch)},
            "stopping": {"min_positives": 1},
            "training": {"batch_size": batch, "max_epochs": 1, "precision": "bf16"},
        }
    )


def our_figures(lake, manifest, recipe, steps: int) -> dict[str, float]:
    """Images per second of whole steps, from a ready batch and with the loader at work, and of validation; memory at
    its peak, and again with activations computed anew in the backward pass."""
    run = _Run(recipe, lake, lake.root / "run", "x" * 16, Runtime(), lambda _event: None)
    run.prepare(manifest, resume=False)
    run.has_picture = True
    run.state.train_mode()
    batch = next(run.pools.training.training(0))
    found = {}
    for name, is_on in (("checkpointed", True), ("whole", False)):
        for backbone in run.state.objective.classifier.backbones:
            backbone.net.set_grad_checkpointing(is_on)
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats()
        found[f"{name}_images_per_s"] = _timed(lambda: run._step(batch), steps, len(batch.index))
        found[f"{name}_peak_gib"] = torch.cuda.max_memory_allocated() / 2**30
    begun, seen = time.perf_counter(), 0
    for loaded in run.pools.training.training(1):
        run._step(loaded)
        seen += len(loaded.index)
    torch.cuda.synchronize()
    found["with_loader_images_per_s"] = seen / (time.perf_counter() - begun)
    run.pools = Pools(run.pools.training, run.pools.training)  # the lake's own validation pool is a handful
    begun = time.perf_counter()
    run._validate()
    found["validation_images_per_s"] = len(run.pools.validation.studies) / (time.perf_counter() - begun)
    return found


def timm_speed(model: str, side: int, batch: int, steps: int) -> float:
    """timm's own training benchmark loop: bf16 autocast, channels_last, AdamW, one channel."""
    extra = {"img_size": side} if "deit" in model else {}
    net = timm.create_model(model, in_chans=1, num_classes=21, **extra).cuda().to(memory_format=torch.channels_last)
    optimizer = torch.optim.AdamW(net.train().parameters(), lr=1e-5, fused=True)
    images = torch.randn(batch, 1, side, side, device="cuda").contiguous(memory_format=torch.channels_last)
    targets = torch.rand(batch, 21, device="cuda")

    def step() -> None:
        optimizer.zero_grad()
        with torch.autocast("cuda", torch.bfloat16):
            logits = net(images)
        torch.nn.functional.binary_cross_entropy_with_logits(logits.float(), targets).backward()
        optimizer.step()

    return _timed(step, steps, batch)


def loader_speed(lake, manifest, recipe) -> float:
    """Images per second that the loader gives when nobody trains."""
    pools = prepare_pools(recipe, lake, manifest, Runtime(), lambda _event: None)
    begun = time.perf_counter()
    seen = sum(len(batch.index) for batch in pools.training.training(0))
    return seen / (time.perf_counter() - begun)


def shares(case: dict) -> dict[str, float]:
    """What of timm's throughput is ours, and which part of an epoch waits for the loader or validates."""
    training, validation = POOLS / case["with_loader_images_per_s"], 1 / case["validation_images_per_s"]
    return {
        "share_of_timm": case["whole_images_per_s"] / case["timm_images_per_s"],
        "loader_share": max(0.0, 1 - case["with_loader_images_per_s"] / case["whole_images_per_s"]),
        "validation_share": validation / (training + validation),
    }


def words(case: dict) -> str:
    """A case in one line for people."""
    head = f"{case['model']}, {case['side_px']} px, batch {case['batch']}: "
    if "share_of_timm" not in case:
        return head + "does not fit into this GPU"
    return head + (
        f"{case['whole_images_per_s']:.0f} images/s, {case['share_of_timm']:.0%} of timm's; the loader's share "
        f"{case['loader_share']:.0%}, validation's {case['validation_share']:.0%}; {case['whole_peak_gib']:.1f} GiB, "
        f"checkpointed {case['checkpointed_peak_gib']:.1f} GiB at "
        f"{case['checkpointed_images_per_s'] / case['whole_images_per_s']:.0%} of the speed"
    )


def profile(lake, manifest, recipe) -> list[dict]:
    """The ten operations that take most GPU time in five steps."""
    run = _Run(recipe, lake, lake.root / "run", "x" * 16, Runtime(), lambda _event: None)
    run.prepare(manifest, resume=False)
    run.has_picture = True
    run.state.train_mode()
    batch = next(run.pools.training.training(0))
    run._step(batch)
    with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CUDA]) as profiler:
        for _ in range(5):
            run._step(batch)
        torch.cuda.synchronize()
    events = sorted(profiler.key_averages(), key=lambda event: -event.self_device_time_total)[:10]
    total = sum(event.self_device_time_total for event in profiler.key_averages()) or 1
    return [{"operation": event.key[:80], "share": event.self_device_time_total / total} for event in events]


def _timed(step, steps: int, images: int) -> float:
    for _ in range(WARM_UP):
        step()
    torch.cuda.synchronize()
    begun = time.perf_counter()
    for _ in range(steps):
        step()
    torch.cuda.synchronize()
    return steps * images / (time.perf_counter() - begun)


def main() -> int:
    """Measure every case on the GPU at hand, or say that there is none and run the CPU part."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--images", type=int, default=2000)
    options = parser.parse_args()
    if not torch.cuda.is_available():
        print("No GPU here: nothing is measured about GPUs. The CPU part follows.")
        return subprocess.call([sys.executable, str(Path(__file__).with_name("training_cpu.py"))])
    result: dict = {
        "device": torch.cuda.get_device_name(),
        "torch": torch.__version__,
        "timm": timm.__version__,
        "cases": [],
    }
    with tempfile.TemporaryDirectory() as folder:
        lake = make_lake(Path(folder), options.images, 512)
        manifest, _ = read_manifest(lake, None)
        for model, side, batch in CASES:
            recipe = chosen(model, side, batch, options.images)
            case: dict = {"model": model, "side_px": side, "batch": batch}
            with contextlib.suppress(torch.cuda.OutOfMemoryError):
                case["timm_images_per_s"] = timm_speed(model, side, batch, options.steps)
                case |= our_figures(lake, manifest, recipe, options.steps)
                case["loader_images_per_s"] = loader_speed(lake, manifest, recipe)
                case |= shares(case)
            print(words(case), flush=True)
            result["cases"].append(case)
            torch.cuda.empty_cache()
        result["where_time_goes"] = profile(lake, manifest, chosen("densenet121", 384, 64, options.images))
    RESULT.write_text(json.dumps(result, indent=1) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
