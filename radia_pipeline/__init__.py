"""RadIA: from a hospital's de-identified chest radiographs and French reports to a pathology detector.

One folder a step, in the order in which the data goes: ``sources``, ``privacy``, ``dicom`` and ``reports``, ``labels``,
``cohort``, ``training``, ``evaluation``, ``localisation``, ``detection``. ``contracts`` and ``lake`` stand under all;
``defs`` orchestrates and computes nothing. This module holds the version, what must be set before any library loads,
and the names that other programs may use; each is imported when it is asked for.
"""

import importlib
import os
from typing import Any

__version__ = "0.1.0"
__all__ = ["Labeler", "Lake", "audit", "predict", "predict_into"]

_PUBLIC = {
    "Labeler": "radia_pipeline.reports.engine:Labeler",
    "Lake": "radia_pipeline.lake.lake:Lake",
    "audit": "radia_pipeline.usecases.audit:audit_files",
    "predict": "radia_pipeline.usecases.predict:predict",
    "predict_into": "radia_pipeline.usecases.predict:predict_into",
}
"""Name -> where it lies. Lying elsewhere tomorrow, it keeps its name here."""

os.environ.setdefault("GOMP_SPINCOUNT", "1000")
"""How long an OpenMP thread spins while it waits for another one. By default that is milliseconds, and two trainings on
one machine take 20 times as long (``benchmarks/threads.py``); libgomp reads this when torch loads it."""

os.environ["ORT_DISABLE_TELEMETRY"] = "1"
"""Else ONNX Runtime (1.32, official builds) notes sessions in the temporary folder and below ``~/.cache/Microsoft``,
and send events to Microsoft; it reads this when it is imported."""


def __getattr__(name: str) -> Any:
    """Import a public name when it is first asked for (PEP 562)."""
    if name not in _PUBLIC:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    module, _, inner = _PUBLIC[name].partition(":")
    found = globals()[name] = getattr(importlib.import_module(module), inner)
    return found


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
