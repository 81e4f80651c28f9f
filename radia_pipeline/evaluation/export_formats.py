"""The formats in which a model leaves the house, by name. Light: what writes them needs torch (``network_files``)."""

from __future__ import annotations

from radia_pipeline.contracts.choices import Later, Table

_FILES = "radia_pipeline.evaluation.network_files"

FORMATS = Table(
    "export format",
    {
        "onnx": Later(f"{_FILES}:write_as_onnx"),
        "safetensors": Later(f"{_FILES}:write_as_safetensors"),
        "torchxrayvision": Later(f"{_FILES}:write_as_torchxrayvision"),
    },
)
"""(members, ensemble or None, folder) -> what was written, in plain values."""
