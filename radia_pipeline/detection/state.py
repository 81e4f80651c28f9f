"""A detector's training state: network, optimizer, averages, progress. What trainings share is ``training.state``."""

from __future__ import annotations

from pathlib import Path

import torch

from radia_pipeline.detection.config import DetectorConfig
from radia_pipeline.detection.loss import Matcher
from radia_pipeline.detection.model import Detector, start_from_classifier
from radia_pipeline.detection.objective import DetectionObjective, DetectionTask
from radia_pipeline.detection.spec import DetectorSpec
from radia_pipeline.training.inference import load_classifier
from radia_pipeline.training.state import Arithmetic, State

BACKBONE = "detector.net."
"""What names of the backbone's weights begin with in the objective."""


class DetectorState(State):
    """Everything that a detector's checkpoint holds."""

    def __init__(
        self, config: DetectorConfig, spec: DetectorSpec, classifier: Path, matcher: Matcher, device: torch.device
    ) -> None:
        dtype, factor = Arithmetic(config).weights, config.optimizer.backbone_factor
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(config.training.seed)
            detector = Detector(spec)
        start_from_classifier(detector, load_classifier(classifier))
        detector.to(device, dtype)
        if config.training.channels_last:
            detector.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # torch's types lack it
        if factor == 0:
            detector.net.requires_grad_(False)
        objective = DetectionObjective(detector, DetectionTask(matcher, spec.head))
        super().__init__(config, detector, objective, device, lambda name: factor if name.startswith(BACKBONE) else 1.0)
