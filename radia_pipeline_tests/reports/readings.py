"""How the whole development set is read, as one digest: what must not change without a new version."""

from __future__ import annotations

import functools
import hashlib
import json
from pathlib import Path

from radia_pipeline.errors import ContractViolation
from radia_pipeline.reports.engine import Labeler
from radia_pipeline_tests.reports.texts import blind_set, dev_set

KEPT = Path(__file__).with_name("readings.json")


@functools.cache
def digest() -> str:
    """Return the digest of every mention, attribute and label that the rules read in the development set."""
    read, found = Labeler.default().read, hashlib.sha256()
    for _, text, _ in (*dev_set(), *blind_set()):
        found.update(json.dumps(read(text), ensure_ascii=False).encode() + b"\n")
    return found.hexdigest()


def readings() -> str:
    """Return what is kept of how texts are read today.

    Raises ContractViolation where they are read otherwise than was kept and the version is the same: then it was the
    code that changed, and lakes would keep what the old one read.
    """
    now, before = {"version": Labeler.default().version, "digest": digest()}, json.loads(KEPT.read_text("utf-8"))
    if now["version"] == before["version"] and now["digest"] != before["digest"]:
        raise ContractViolation(
            "Texts are read otherwise under the same version", do="raise READER_VERSION in reports/language.py first"
        )
    return json.dumps(now, indent=1) + "\n"
