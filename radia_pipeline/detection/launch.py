"""Starts a detector's training: in this process, or under torchrun where there are several GPUs. Light: no torch.

Not here: how processes are started and watched (``training.launch``).
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import yaml

from radia_pipeline.detection.config import DetectorConfig
from radia_pipeline.lake.lake import Lake
from radia_pipeline.training.launch import Processes, run_in_processes, visible_gpus
from radia_pipeline.training.outcome import OnEvent, Runtime

if TYPE_CHECKING:
    from radia_pipeline.detection.train import DetectorResult

ENTRY = "radia_pipeline.detection.run"


def launch_detector(
    lake: Lake,
    config: DetectorConfig,
    *,
    on_event: OnEvent = lambda _event: None,
    force: bool = False,
    processes: Processes | None = None,
) -> DetectorResult:
    """Train a detector: under torchrun where there is to be more than one process, else in this one.

    Returns and raises as ``train.train_detector``.
    """
    processes = processes or Processes()
    if (processes.count or visible_gpus()) > 1:
        from radia_pipeline.detection.train import read_result

        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / f"{config.name}.yaml"
            path.write_text(yaml.safe_dump(config.as_dict()), encoding="utf-8")
            arguments = ["--detector", str(path), "--lake", str(lake.root), *(["--force"] if force else [])]
            done = run_in_processes(ENTRY, arguments, on_event, processes)
        return read_result(Path(done["model_dir"]), reused=done["reused"])
    from radia_pipeline.detection.train import train_detector

    return train_detector(lake, config, on_event=on_event, force=force, runtime=Runtime(stop=processes.stop))
