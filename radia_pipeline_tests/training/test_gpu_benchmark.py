"""What ``benchmarks/training_gpu.py`` says where there is no GPU, and what it makes of what it measures on one."""

from __future__ import annotations

import runpy
import sys
from pathlib import Path

import pytest
import torch

SCRIPT = Path(__file__).resolve().parents[2] / "benchmarks" / "training_gpu.py"


@pytest.fixture
def script(monkeypatch):
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.setattr(sys, "argv", [str(SCRIPT)])
    return runpy.run_path(str(SCRIPT))


def test_without_a_gpu_it_says_so_and_measures_the_processors(script, monkeypatch, capsys):
    called = []
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(script["subprocess"], "call", lambda command: called.append(command) or 7)
    assert script["main"]() == 7
    assert "No GPU here: nothing is measured about GPUs" in capsys.readouterr().out
    assert called[0][1].endswith("training_cpu.py")


def test_shares_are_of_timms_throughput_and_of_an_epoch(script):
    case = {
        "model": "densenet121",
        "side_px": 384,
        "batch": 64,
        "timm_images_per_s": 1000.0,
        "whole_images_per_s": 950.0,
        "with_loader_images_per_s": 760.0,
        "validation_images_per_s": 1900.0,
        "whole_peak_gib": 20.0,
        "checkpointed_peak_gib": 9.0,
        "checkpointed_images_per_s": 700.0,
    }
    case |= script["shares"](case)
    assert case["share_of_timm"] == pytest.approx(0.95)
    assert case["loader_share"] == pytest.approx(0.2)
    assert case["validation_share"] == pytest.approx((1 / 1900) / (8 / 760 + 1 / 1900))
    assert "95% of timm's" in script["words"](case)
    assert script["words"]({key: case[key] for key in ("model", "side_px", "batch")}).endswith("fit into this GPU")
