"""Does a prediction know when to be silent? Refusals and flags on planted, changed, real and foreign pictures.

``--lake`` is a trained lake (``radia demo --small``), ``--real-lake`` one trained on ``../shared/real``: real films
are judged by it. Counts are of files; a flag or a refusal with a reason both end the silence that matters.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import warnings
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import numpy as np
import planted
from PIL import Image

from radia_pipeline.errors import RadiaError
from radia_pipeline.lake.lake import Lake
from radia_pipeline.usecases import predict as usecase

ROOT = Path(__file__).resolve().parents[1]
RESULT = Path(__file__).parent / "results" / "predict.json"


def outcomes(lake: Lake, files: Iterable[planted.Planted]) -> Iterator[tuple[str, str]]:
    """Yield (kind, refused | flagged | answered) of every file, each written alone."""
    with tempfile.TemporaryDirectory() as folder:
        for one in files:
            path = Path(folder) / one.name
            path.write_bytes(one.data)
            yield one.kind, _outcome(lake, path)
            path.unlink()


def _outcome(lake: Lake, path: Path) -> str:
    try:
        usecase.predict_files(lake, [path])
    except RadiaError:
        return "refused"
    return "answered"


def counted(found: Iterable[tuple[str, str]]) -> dict[str, dict[str, int]]:
    """Return {kind: {outcome: files}}."""
    table: dict[str, Counter] = {}
    for kind, outcome in found:
        table.setdefault(kind, Counter())[outcome] += 1
    return {kind: dict(sorted(counts.items())) for kind, counts in table.items()}


def changed_films(count: int) -> Iterator[planted.Planted]:
    """Yield phantoms as they are and with each change."""
    changes: dict[str, Callable] = {"as it is": lambda p: p, **planted.CHANGES}
    for name, change in changes.items():
        for number in range(count):
            picture = planted.film(50_000 + number, "PA" if number % 3 else "AP")
            yield planted.Planted(name, f"c{number:04d}", planted.png(change(picture)))


def real_films(real: Path, every: int) -> Iterator[planted.Planted]:
    """Yield real frontal films as they are (all of them) and with each change (each ``every``-th)."""
    paths = sorted((real / "nih_cxr14" / "images").rglob("*.png"))
    for path in paths:
        yield planted.Planted("as it is", path.stem, path.read_bytes())
    for name, change in planted.CHANGES.items():
        for path in paths[::every]:
            picture = np.asarray(Image.open(path).convert("L")) / 255.0
            yield planted.Planted(name, path.stem, planted.png(change(picture)))


def main() -> None:
    """Score, print, keep."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--lake", type=Path, required=True)
    parser.add_argument("--real-lake", type=Path)
    parser.add_argument("--real", type=Path, default=ROOT.parent / "shared" / "real")
    parser.add_argument("--count", type=int, default=20, help="files of each planted kind")
    parser.add_argument("--strangers", type=int, default=500)
    parser.add_argument("--every", type=int, default=7, help="of the real films, which are changed")
    parser.add_argument("--pictures", type=Path, action="append", default=[], help="more folders of photographs")
    parser.add_argument("--name", default="now", help="under which the score is kept")
    arguments = parser.parse_args()
    warnings.simplefilter("ignore")
    lake = Lake.open(arguments.lake, create=False)
    score = {
        "planted": counted(outcomes(lake, planted.must_be_refused(arguments.count))),
        "changed phantoms": counted(outcomes(lake, changed_films(3 * arguments.count))),
        "strangers": counted(outcomes(lake, planted.strangers(arguments.strangers, arguments.pictures))),
    }
    if arguments.real_lake and arguments.real.is_dir():
        real_lake = Lake.open(arguments.real_lake, create=False)
        score["real films"] = counted(outcomes(real_lake, real_films(arguments.real, arguments.every)))
    kept = json.loads(RESULT.read_text(encoding="utf-8")) if RESULT.exists() else {}
    kept[arguments.name] = score
    RESULT.write_text(json.dumps(kept, indent=1) + "\n", encoding="utf-8")
    print(json.dumps(score, indent=1))


if __name__ == "__main__":
    main()
