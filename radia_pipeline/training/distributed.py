"""The few collective operations that training needs; each is a plain function that also works in one process.

The mistakes that make distributed training "run but not converge" are met here: denominators are summed over all
processes, gathered scores lose their padding, decisions are taken by process 0 and told to all.
"""

from __future__ import annotations

import contextlib
import datetime
import os
from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from torch import distributed

from radia_pipeline.processes.frames import Frame, decode, encode

PATIENCE = datetime.timedelta(hours=2)
"""Processes wait for process 0 while it packs images."""


def rank() -> int:
    """This process's number."""
    return distributed.get_rank() if distributed.is_initialized() else 0


def world_size() -> int:
    """Number of processes."""
    return distributed.get_world_size() if distributed.is_initialized() else 1


@contextlib.contextmanager
def process_group() -> Iterator[None]:
    """Join the group that ``torchrun`` announces in the environment; nothing to do in a single process."""
    if int(os.environ.get("WORLD_SIZE", "1")) == 1 or distributed.is_initialized():
        yield
        return
    on_gpu = torch.cuda.is_available()
    if on_gpu:
        torch.cuda.set_device(int(os.environ.get("LOCAL_RANK", "0")))
    distributed.init_process_group("nccl" if on_gpu else "gloo", timeout=PATIENCE)
    try:
        yield
    finally:
        distributed.destroy_process_group()


def barrier() -> None:
    """Wait for all processes."""
    if world_size() > 1:
        distributed.barrier()


def total(value: torch.Tensor) -> torch.Tensor:
    """Return the sum of a tensor over all processes; the argument is not changed."""
    if world_size() == 1:
        return value
    summed = value.detach().clone()
    distributed.all_reduce(summed)
    return summed


def any_process(flag: bool, device: torch.device) -> bool:
    """Whether the flag is set on some process."""
    if world_size() == 1:
        return flag
    return bool(total(torch.tensor(int(flag), device=device)).item() > 0)


def from_first(value: Any) -> Any:
    """Return process 0's value on every process; ``value`` is what JSON can hold."""
    return value if world_size() == 1 else _exchanged(Frame(value if rank() == 0 else None))[0].body


def gather_rows(index: np.ndarray, rows: np.ndarray, count: int) -> np.ndarray:
    """Put rows of all processes in the order of ``index`` (0 … count−1): (count, …), the same on every process.

    A row that came twice (padding) is taken once; a row that never came is an error.
    """
    if world_size() > 1:
        gathered = [frame.arrays for frame in _exchanged(Frame(None, (index, rows)))]
        index, rows = (np.concatenate(parts) for parts in zip(*gathered, strict=True))
    first_index, first_row = np.unique(index, return_index=True)
    if len(first_index) != count or (count and (first_index[0] != 0 or first_index[-1] != count - 1)):
        raise RuntimeError(f"gathered {len(first_index)} of {count} rows")
    return rows[first_row]


def gather_equal(index: torch.Tensor, rows: torch.Tensor, count: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Return index and rows of all processes in the global batch's order (place r + i·n: row i of process r of n)."""
    gathered = _exchanged(Frame(None, (index.cpu().numpy(), rows.cpu().numpy())))
    all_index = index.new_empty((count,), device="cpu")
    all_rows = rows.new_empty((count, *rows.shape[1:]), device="cpu")
    for number, frame in enumerate(gathered):
        all_index[number :: world_size()], all_rows[number :: world_size()] = map(torch.from_numpy, frame.arrays)
    return all_index.to(index.device), all_rows.to(rows.device)


def _exchanged(frame: Frame) -> list[Frame]:
    """Return the frames of all processes in their order; as bytes, since torch's own way unpickles what arrives."""
    device = torch.device("cuda" if distributed.get_backend() == "nccl" else "cpu")
    mine = torch.frombuffer(bytearray(encode(frame)), dtype=torch.uint8).to(device)
    size = torch.tensor([len(mine)], device=device)
    sizes = [torch.empty_like(size) for _ in range(world_size())]
    distributed.all_gather(sizes, size)
    padded = mine.new_zeros(int(torch.stack(sizes).max()))
    padded[: len(mine)] = mine
    parts = [torch.empty_like(padded) for _ in range(world_size())]
    distributed.all_gather(parts, padded)
    return [decode(part[: int(size)].cpu().numpy().tobytes()) for part, size in zip(parts, sizes, strict=True)]
