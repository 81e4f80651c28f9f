"""No library that we load reports to its maker, nor keeps records for it on the disk."""

from __future__ import annotations

import subprocess
import sys

import pytest

from radia_pipeline.processes import children

LOADS = """import radia_pipeline, onnxruntime, rapidocr
onnxruntime.get_available_providers()"""


@pytest.mark.parametrize("given", [None, "0"])
def test_onnx_runtime_leaves_no_record_of_a_session(tmp_path, given):
    places = {name: tmp_path / name for name in ("TMPDIR", "HOME", "XDG_CACHE_HOME")}
    for place in places.values():
        place.mkdir()
    more = {name: str(place) for name, place in places.items()} | ({"ORT_DISABLE_TELEMETRY": given} if given else {})
    env = {name: value for name, value in children.environment().items() if name != "ORT_DISABLE_TELEMETRY"} | more
    subprocess.run([sys.executable, "-c", LOADS], env=env, check=True, timeout=120)
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []
