"""Training state <-> one safetensors file, written atomically, checked when read. Nothing is unpickled."""

from __future__ import annotations

import json
import zlib
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

from radia_pipeline.errors import DamagedFile
from radia_pipeline.lake.atomic import replace_file
from radia_pipeline.training.identity import TRAINING_VERSION, VERSION_KEY

DO = "delete the checkpoint, or train without resuming"


@dataclass
class Progress:
    """Where a training stands: everything but tensors. ``step`` counts finished steps over all epochs."""

    step: int = 0
    validated_epochs: int = 0
    best_metric: float | None = None
    best_epoch: int = -1
    epochs_without_gain: int = 0
    bad_steps: int = 0
    loss_sum: float = 0.0
    loss_count: int = 0
    history: list[dict[str, Any]] = field(default_factory=list)

    def add_loss(self, loss: float) -> None:
        """Count one sound step's loss towards the epoch's mean."""
        self.loss_sum, self.loss_count = self.loss_sum + loss, self.loss_count + 1

    def compare(self, metric: float, epoch: int) -> bool:
        """Take note of an epoch's metric (higher is better); returns whether it is the best so far."""
        is_best = self.best_metric is None or metric > self.best_metric
        if is_best:
            self.best_metric, self.best_epoch, self.epochs_without_gain = metric, epoch, 0
        else:
            self.epochs_without_gain += 1
        return is_best


def save_tensors(path: Path, tensors: dict[str, torch.Tensor], metadata: dict[str, Any]) -> None:
    """Write tensors and JSON metadata as one safetensors file that appears whole or not at all."""
    plain = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    header = {"radia": json.dumps(metadata), "crc32": str(_checksum(plain))}
    with replace_file(path) as temporary:
        save_file(plain, temporary, metadata=header)


def load_tensors(path: Path) -> tuple[dict[str, torch.Tensor], dict[str, Any]]:
    """Read what ``save_tensors`` wrote; raises DamagedFile when the file is broken, foreign or altered."""
    try:
        with safe_open(path, framework="pt") as handle:
            header = handle.metadata() or {}
            tensors = {name: handle.get_tensor(name) for name in handle.keys()}  # noqa: SIM118 - not a mapping
        metadata = json.loads(header["radia"])
    except (SafetensorError, OSError, ValueError, KeyError):
        raise DamagedFile(f"{path.name} is broken or no file of RadIA", do=DO) from None
    if int(header.get("crc32", -1)) != _checksum(tensors):
        raise DamagedFile(f"{path.name} does not match its checksum", do=DO)
    return tensors, metadata


def save_checkpoint(path: Path, tensors: dict[str, torch.Tensor], progress: Progress, fingerprint: str) -> None:
    """Write a checkpoint that belongs to one training."""
    belongs = {"fingerprint": fingerprint, VERSION_KEY: TRAINING_VERSION}
    save_tensors(path, tensors, {"kind": "checkpoint", **belongs, "progress": asdict(progress)})


def load_checkpoint(path: Path, fingerprint: str) -> tuple[dict[str, torch.Tensor], Progress]:
    """Read a checkpoint; raises DamagedFile when it is broken or belongs to another recipe, manifest or version."""
    tensors, metadata = load_tensors(path)
    if metadata.get("kind") != "checkpoint" or metadata.get("fingerprint") != fingerprint:
        raise DamagedFile("The checkpoint belongs to another training (recipe, manifest or version differ)", do=DO)
    return tensors, Progress(**metadata["progress"])


def optimizer_tensors(optimizer: torch.optim.Optimizer) -> dict[str, torch.Tensor]:
    """Return the optimizer's state as ``optimizer.<parameter>.<key>`` tensors."""
    state = optimizer.state_dict()["state"]
    return {
        f"optimizer.{number}.{key}": value
        for number, entry in state.items()
        for key, value in entry.items()
        if isinstance(value, torch.Tensor)
    }


def restore_optimizer(optimizer: torch.optim.Optimizer, tensors: dict[str, torch.Tensor]) -> None:
    """Put back what ``optimizer_tensors`` gave."""
    state: dict[int, dict[str, torch.Tensor]] = {}
    for name, tensor in select(tensors, "optimizer").items():
        number, key = name.split(".", 1)
        state.setdefault(int(number), {})[key] = tensor
    optimizer.load_state_dict({"state": state, "param_groups": optimizer.state_dict()["param_groups"]})


def prefixed(prefix: str, tensors: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Return the tensors under ``prefix.``."""
    return {f"{prefix}.{name}": tensor for name, tensor in tensors.items()}


def select(tensors: dict[str, torch.Tensor], prefix: str) -> dict[str, torch.Tensor]:
    """Return the tensors that stand under ``prefix.``, without it."""
    return {name[len(prefix) + 1 :]: tensor for name, tensor in tensors.items() if name.startswith(f"{prefix}.")}


def _checksum(tensors: dict[str, torch.Tensor]) -> int:
    checksum = 0
    for name in sorted(tensors):
        data = tensors[name].contiguous().reshape(-1).view(torch.uint8).numpy().data if tensors[name].numel() else b""
        checksum = zlib.crc32(data, zlib.crc32(name.encode(), checksum))
    return checksum
