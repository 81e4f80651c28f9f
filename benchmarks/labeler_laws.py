"""The laws of layout over every text of the development set and, where they lie beside, over genuine sentences.

    .venv/bin/python benchmarks/labeler_laws.py [--show N] [--only LAW ...]

Counts pairs of text and law, how many labels moved, and how many texts the two restrictions of a law exempt (see
radia_pipeline_tests/reports/laws.py). Results go to benchmarks/results/labeler_laws.json.
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
from radia_pipeline_tests.reports.laws import EXEMPT, LAWS  # noqa: E402
from radia_pipeline_tests.reports.texts import all_texts, genuine_sentences  # noqa: E402


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--show", type=int, default=0, help="print so many violations of each law")
    parser.add_argument("--only", nargs="*", default=list(LAWS))
    options = parser.parse_args()
    read = Labeler.default().read
    kept = {}
    for group, texts in (("development", all_texts()), ("genuine", genuine_sentences())):
        said = {text: read(text).labels for text in texts}
        broken, pairs, exempt = Counter(), 0, 0
        for name in options.only:
            for text in texts:
                new = LAWS[name](text)
                exempt += new is EXEMPT
                if not isinstance(new, str):
                    continue
                pairs += 1
                if (now := read(new).labels) != said[text]:
                    broken[name] += 1
                    if broken[name] <= options.show:
                        print(f"{name}: {new!r}\n   {said[text]}\n   {now}")
        kept[group] = {
            "texts": len(texts),
            "laws": len(options.only),
            "pairs": pairs,
            "violations": sum(broken.values()),
            "exempt": exempt,
            "exempt_share": round(exempt / (pairs + exempt), 4) if pairs else None,
            "by_law": dict(broken.most_common()),
        }
        print(group, json.dumps(kept[group], indent=1, ensure_ascii=False))
    if options.only == list(LAWS):
        path = HERE / "results" / "labeler_laws.json"
        result = {"version": Labeler.default().version, **kept}
        path.write_text(json.dumps(result, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
