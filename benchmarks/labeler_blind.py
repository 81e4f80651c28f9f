"""Batches of blind texts, scored as they lie: what the labeler makes of reports that it was not mended on.

    .venv/bin/python benchmarks/labeler_blind.py a b c --look "third look: batch c unopened" [--failures]

Without ``--look`` nothing is kept. A batch is ``radia_pipeline_tests/reports/blind/batch_<name>.yaml``, written from
the brief beside it. Its first score is committed before anything is changed because of it; ``--failures`` prints what
was read otherwise and is for batches that are open already. Labels that the guide contradicts are mended in the batch's
file, with a comment that says so. Every score is appended to results/labeler_heldout.json; none is ever replaced.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from pathlib import Path

import yaml

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent))

from labeler import quality  # noqa: E402

from radia_pipeline.reports.engine import Labeler  # noqa: E402
from radia_pipeline_tests.reports.texts import decode  # noqa: E402

BATCHES = HERE.parent / "radia_pipeline_tests" / "reports" / "blind"
NO_FINDING = "No Finding"


def batch(name: str) -> list[tuple[str, dict[str, int | None]]]:
    """Return (text, labels) of one batch; a dot stands for a blank that is compared."""
    content = yaml.safe_load((BATCHES / f"batch_{name}.yaml").read_text(encoding="utf-8"))
    return [(text, decode(labels)) for text, labels in next(iter(content.values()))]


def differences(want: dict, got: dict) -> dict[str, tuple]:
    """Return class -> (wanted, got) where they differ; blanks are None."""
    return {c: (want.get(c), got.get(c)) for c in sorted(want.keys() | got.keys()) if want.get(c) != got.get(c)}


def score(name: str, look: str) -> tuple[dict, list[tuple[str, dict]]]:
    """Return the entry of one batch, and (text, differences) of each text that is read otherwise."""
    rows = batch(name)
    got = [Labeler.default().read(text).labels for text, _ in rows]
    known = [{c: v for c, v in want.items() if v is not None} for _, want in rows]
    wrong = [
        (text, differs) for (text, want), said in zip(rows, got, strict=True) if (differs := differences(want, said))
    ]
    head = subprocess.run(["git", "rev-parse", "--short", "HEAD"], cwd=HERE, capture_output=True, text=True, check=True)
    macro = {key: round(value, 3) for key, value in quality(known, got)["macro"].items()}
    entry = {
        "batch": name,
        "look": look,
        "texts": len(rows),
        "engine": head.stdout.strip(),
        **macro,
        "right_in_all_labels": len(rows) - len(wrong),
        "right_but_for_no_finding": len(rows) - sum(set(differs) != {NO_FINDING} for _, differs in wrong),
    }
    return entry, wrong


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument(
        "batches", nargs="*", default=sorted(p.stem.removeprefix("batch_") for p in BATCHES.glob("*.yaml"))
    )
    parser.add_argument("--look", default="", help="which look this is, and what had been seen of the batch before")
    parser.add_argument("--failures", action="store_true")
    options = parser.parse_args()
    path = HERE / "results" / "labeler_heldout.json"
    kept = json.loads(path.read_text(encoding="utf-8"))
    for name in options.batches:
        entry, wrong = score(name, options.look)
        print(json.dumps(entry, ensure_ascii=False))
        if options.failures:
            for text, differs in wrong:
                print(f"  {text!r}\n    (wanted, got): {differs}")
        kept["batches"].append(entry)
    if options.look:
        path.write_text(json.dumps(kept, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
