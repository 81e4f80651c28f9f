"""What the gate of reports finds and what it spares, on planted identities that were written before its rules.

Run: ``python benchmarks/identities.py [--earlier FOLDER]``. ``benchmarks/identities.csv`` holds sentences by kind, with
what is expected: refuse, keep, or site (a hospital's own choice, not scored). Its rows fall into ``fit``, which was
looked at while rules were written, ``held``, which was not, and ``second``, which was written after them and scored
before anything was mended by it. ``--earlier``, a checkout of the release to compare with, adds the speed of both in
turns in one run. Writes ``benchmarks/results/identities.json``.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import statistics
import subprocess
import sys
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

from radia_pipeline.privacy.policy import report_policy_of
from radia_pipeline.privacy.text import breaches

HERE = Path(__file__).parent
CORPUS, RESULT = HERE / "identities.csv", HERE / "results" / "identities.json"
ROUNDS, REPORTS = 5, 8000
TIMED = """
import sys, time
from radia_pipeline.privacy.policy import report_policy_of
from radia_pipeline.privacy.text import breaches
from radia_pipeline_tests.phantom.samples import sample_reports
policy, texts = report_policy_of("ccsmtl"), [text for text, _ in sample_reports(int(sys.argv[1]), 9)]
for text in texts[:400]: breaches(text, policy)
began = time.process_time()
for text in texts: breaches(text, policy)
print((time.process_time() - began) / len(texts))
"""


def sentences() -> list[dict[str, str]]:
    """Return the rows of the corpus."""
    with CORPUS.open(encoding="utf-8", newline="") as handle:
        return list(csv.DictReader(handle))


def score(rows: Iterable[dict[str, str]]) -> dict:
    """Return how many sentences of each kind are judged as expected, and the two shares."""
    policy, right, count = report_policy_of("ccsmtl"), Counter(), Counter()
    for row in rows:
        if row["expected"] == "site":
            continue
        key = (row["expected"], row["kind"])
        count[key] += 1
        right[key] += bool(breaches(row["text"], policy)) == (row["expected"] == "refuse")
    found: dict = {"by_kind": {f"{e}, {kind}": f"{right[e, kind]} of {n}" for (e, kind), n in count.items()}}
    for expected, name in (("refuse", "found"), ("keep", "spared")):
        keys = [key for key in count if key[0] == expected]
        found[name] = f"{sum(right[key] for key in keys)} of {sum(count[key] for key in keys)}"
    return found


def false_alarms() -> dict[str, str]:
    """Return how many texts that name nobody are refused: invented reports, and the labeler's development set."""
    from radia_pipeline_tests.phantom.samples import sample_reports
    from radia_pipeline_tests.reports.texts import dev_set

    policy = report_policy_of("ccsmtl")
    collections = {
        "invented reports": [text for text, _ in sample_reports(3000, 3)],
        "development set, without physicians": [text for _, text, _ in dev_set() if "Dr " not in text],
    }
    return {
        name: f"{sum(bool(breaches(t, policy)) for t in texts)} of {len(texts)}" for name, texts in collections.items()
    }


def seconds_a_report(checkout: Path) -> float:
    """Return processor seconds for one invented report, by the code of a checkout."""
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", TIMED, str(REPORTS)],
        cwd=checkout,
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": str(checkout)},
        check=True,
    )
    return float(done.stdout)


def speed(earlier: Path) -> dict[str, float]:
    """Return reports a second and core, now and at the earlier release, and the ratio over rounds in turns."""
    pairs = [(seconds_a_report(HERE.parent), seconds_a_report(earlier)) for _ in range(ROUNDS)]
    ratios = [before / now for now, before in pairs]
    return {
        "reports_per_s": 1 / statistics.median(now for now, _ in pairs),
        "earlier_reports_per_s": 1 / statistics.median(before for _, before in pairs),
        "times_faster": statistics.median(ratios),
        "least": min(ratios),
        "most": max(ratios),
    }


def main() -> None:
    """Score, time where asked, print, keep; what the first look found stays beside it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--earlier", type=Path, help="checkout of the release to compare with")
    arguments = parser.parse_args()
    kept = json.loads(RESULT.read_text(encoding="utf-8")) if RESULT.exists() else {}
    rows = sentences()
    halves = {half: score(row for row in rows if row["half"] == half) for half in ("fit", "held", "second")}
    first = kept.setdefault("at first look", {})
    for half in halves:
        first.setdefault(half, halves[half])
    kept["now"], kept["false alarms"] = halves, false_alarms()
    if arguments.earlier:
        kept["speed"] = speed(arguments.earlier)
    RESULT.write_text(json.dumps(kept, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    print(json.dumps(kept, indent=1, ensure_ascii=False))


if __name__ == "__main__":
    main()
