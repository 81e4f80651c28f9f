"""How the whole development set is read, as one digest: what must not change without a new version.

``python -m radia_pipeline_tests.reports.readings`` keeps it anew, where the version is a new one.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

from radia_pipeline.reports.engine import Labeler
from radia_pipeline_tests.reports.texts import blind_set, dev_set

KEPT = Path(__file__).with_name("readings.json")


def readings() -> dict[str, str]:
    """Return the version of the rules, and the digest of every mention, attribute and label that they read."""
    labeler = Labeler.default()
    digest = hashlib.sha256()
    for _, text, _ in (*dev_set(), *blind_set()):
        digest.update(json.dumps(labeler.read(text), ensure_ascii=False).encode() + b"\n")
    return {"version": labeler.version, "digest": digest.hexdigest()}


def kept() -> dict[str, str]:
    """Return what was kept last."""
    return json.loads(KEPT.read_text(encoding="utf-8"))


def keep() -> None:
    """Keep how texts are read now; raises SystemExit where the readings are new and the version is not."""
    now, before = readings(), kept()
    if now["version"] == before["version"] and now["digest"] != before["digest"]:
        raise SystemExit("The code reads texts otherwise: raise READER_VERSION in reports/language.py first.")
    KEPT.write_text(json.dumps(now, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    keep()
