"""Never fall open: every finding of the lexicon × forms of denial × layouts, sampled; none may be read as present.

As many tables that were flattened to one line are drawn beside: nothing denied, or without a value that is understood,
may be read as present ("fell_open"), nothing affirmed as denied ("ran_on").

    .venv/bin/python benchmarks/labeler_never_open.py [--samples 100000] [--seed 20261129] [--show N]

Results go to benchmarks/results/labeler_never_open.json.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections import Counter
from pathlib import Path

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent))

from radia_pipeline.reports.engine import Labeler  # noqa: E402
from radia_pipeline_tests.reports.denials import CELLS, LAYOUTS, ONE_LINE, VALUES, drawn, findings  # noqa: E402
from radia_pipeline_tests.reports.flat_tables import AFFIRMED, APART, DENIED, TO_VALUE, UNKNOWN, tables  # noqa: E402
from radia_pipeline_tests.reports.templates import TEMPLATES  # noqa: E402


def flattened(seed: int, samples: int, opened: list[str]) -> dict:
    """Read tables on one line; add those that fall open to ``opened``."""
    read, counts = Labeler.default().read, Counter()
    for table in tables(seed, samples):
        reading = read(table.text)
        counts["fell_open"] += table.opened(reading.labels)
        counts["ran_on"] += table.ran_on(reading.labels)
        if table.opened(reading.labels) or table.ran_on(reading.labels):
            opened.append(table.text)
        for name in table.denied - table.affirmed - table.unknown:
            counts[f"denied, said {reading.labels.get(name)}"] += 1
        for name in table.affirmed - table.denied - table.unknown:
            counts[f"affirmed, said {reading.labels.get(name)}"] += 1
        counts["with a value that is unknown"] += bool(table.unknown)
        counts["of these with a sentence listed as unread"] += bool(table.unknown and reading.attributes.unread_count)
    values = len(DENIED) + len(AFFIRMED) + len(UNKNOWN)
    drawn_from = {"values": values, "before a value": len(TO_VALUE), "between pairs": len(APART)}
    return {"samples": samples, **drawn_from, "fell_open": 0, "ran_on": 0, **counts}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--samples", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=20261129)
    parser.add_argument("--show", type=int, default=0)
    options = parser.parse_args()
    read = Labeler.default().read
    opened, said = [], Counter()
    for text, classes in drawn(options.seed, options.samples):
        labels = read(text).labels
        said.update(str(labels.get(name)) for name in classes)
        if any(labels.get(name) == 1 for name in classes):
            opened.append(text)
    kept = {
        "version": Labeler.default().version,
        "seed": options.seed,
        "samples": options.samples,
        "findings": len(findings()),
        "denials": len(VALUES) + len(CELLS) + len(TEMPLATES[0]),
        "layouts": len(LAYOUTS) + len(ONE_LINE),
        "fell_open": len(opened),
        "said": dict(said.most_common()),
        "tables": flattened(options.seed, options.samples, opened),
    }
    print(json.dumps(kept, indent=1))
    for text in opened[: options.show]:
        print(repr(text))
    path = HERE / "results" / "labeler_never_open.json"
    path.write_text(json.dumps(kept, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
