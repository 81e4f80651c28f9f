"""How many files with an identity pass the gate, and how many good exports are let in; by kind, with the names of each.

Run: ``python benchmarks/gate.py``. Harmful files are judged whole (container, header, codestream, decoding) by the
shipped policy; good ones too, and those of a device by the policy that its delivery proposes, taken unchanged. Scores
before anything was mended by them stand under ``first`` and, of what was added later, ``second``. Writes
``benchmarks/results/gate.json``; exit status 1 where a harmful file passes or fewer than 95 % of the good ones do.
"""

from __future__ import annotations

import json
import tempfile
import warnings
from collections.abc import Mapping
from pathlib import Path

from radia_pipeline.dicom.examine import Task, examine
from radia_pipeline.usecases.policy_proposal import propose, try_policy
from radia_pipeline_tests.privacy import exports, hostile, hostile_codestreams

RESULT = Path(__file__).with_name("results") / "gate.json"
LEAST_GOOD = 0.95
KINDS = {"container": hostile.CONTAINER, "header": hostile.HEADER, "codestream": hostile_codestreams.CODESTREAM}


def verdict(data: bytes, folder: Path) -> str | None:
    """Return why a file is refused, None where it is let in; print in its picture is not looked for."""
    path = folder / "one.dcm"
    path.write_bytes(data)
    task = Task(str(path), str(folder / "one.png"), "ccsmtl", 1024, reads_text=False)
    judged = examine(task)
    return None if judged.reason is None else f"{judged.reason}: {judged.detail}"


def harmful(folder: Path) -> dict[str, object]:
    """Return how many files of each kind hold an identity, and which of them pass."""
    return {
        kind: {
            "files": len(files),
            "passed": sorted(name for name, make in files.items() if not verdict(make(), folder)),
        }
        for kind, files in KINDS.items()
    }


def standard(folder: Path) -> dict[str, object]:
    """Return the good exports under the shipped policy, and why some are refused."""
    return _good({name: verdict(make(), folder) for name, make in exports.STANDARD.items()})


def devices(folder: Path) -> dict[str, object]:
    """Return the deliveries of devices: files, and those that pass under the policy that each delivery proposes."""
    found: dict[str, object] = {"files": 0, "let_in": 0, "refused": {}}
    for number, (name, make) in enumerate(exports.DEVICES.items()):
        delivery = folder / f"{number}"
        delivery.mkdir()
        for place, data in enumerate(make()):
            (delivery / f"{place}.dcm").write_bytes(data)
        propose([delivery], "ccsmtl", folder / f"{number}.yaml")
        trial = try_policy([delivery], folder / f"{number}.yaml")
        found["files"] += trial.files
        found["let_in"] += trial.passed
        if trial.stops:
            found["refused"][name] = trial.stops
    return found


def _good(why: Mapping[str, str | None]) -> dict[str, object]:
    return {
        "files": len(why),
        "let_in": sum(reason is None for reason in why.values()),
        "refused": {name: reason for name, reason in why.items() if reason},
    }


def main() -> int:
    """Score, print, keep."""
    warnings.simplefilter("ignore")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        now = {"harmful": harmful(folder), "standard": standard(folder), "devices": devices(folder)}
    earlier = json.loads(RESULT.read_text(encoding="utf-8")) if RESULT.exists() else {}
    result = {"first": now, **earlier, "now": now}
    RESULT.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    print(json.dumps(now, indent=1))
    good = [now["standard"], now["devices"]]
    passes = any(kind["passed"] for kind in now["harmful"].values())
    return int(passes or any(one["let_in"] < LEAST_GOOD * one["files"] for one in good))


if __name__ == "__main__":
    raise SystemExit(main())
