"""Does a prediction know when to be silent? Refusals and flags on planted, changed, real and foreign pictures.

``--lake`` is a trained lake (``radia demo --small``), ``--real-lake`` one trained on ``../shared/real``: real films
are judged by it. Counts are of files by outcome. Print is looked for in the planted set alone unless ``--ocr`` says so.
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

from radia_pipeline.lake.lake import Lake
from radia_pipeline.processes.pool import default_workers
from radia_pipeline.usecases.predict import predict

ROOT = Path(__file__).resolve().parents[1]
RESULT = Path(__file__).parent / "results" / "predict.json"


def outcomes(lake: Lake, files: Iterable[planted.Planted], ocr: str = "auto") -> Iterator[tuple[str, str]]:
    """Yield (kind, outcome) of every file; each is a study of its own, and all of them are asked for in one call."""
    with tempfile.TemporaryDirectory() as folder:
        kinds = {}
        for number, one in enumerate(files):
            path = Path(folder) / f"{number:06d}"
            path.write_bytes(one.data)
            kinds[str(path)] = one.kind
        answers = predict(folder, lake, ocr=ocr, workers=default_workers())
        for study in answers["studies"]:
            for file in study["files"]:
                yield kinds[file["file"]], _outcome(file)


def _outcome(file: dict) -> str:
    """Return why a file was refused, what flags an answered one bears, or that it was answered as if all were well."""
    flags = sorted(flag["flag"] for flag in file["flags"])
    return f"refused: {file['reason']}" if file["reason"] else f"flagged: {', '.join(flags)}" if flags else "answered"


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
    parser.add_argument("--ocr", default="off", help="whether print is looked for on real films too")
    parser.add_argument("--name", default="now", help="under which the score is kept")
    arguments = parser.parse_args()
    warnings.simplefilter("ignore")
    lake = Lake.open(arguments.lake, create=False)
    score = {
        "planted": counted(outcomes(lake, planted.must_be_refused(arguments.count))),
        "changed phantoms": counted(outcomes(lake, changed_films(3 * arguments.count), "off")),
        "strangers": counted(outcomes(lake, planted.strangers(arguments.strangers, arguments.pictures), "off")),
    }
    if arguments.real_lake and arguments.real.is_dir():
        real_lake = Lake.open(arguments.real_lake, create=False)
        score["real films"] = counted(outcomes(real_lake, real_films(arguments.real, arguments.every), arguments.ocr))
    kept = json.loads(RESULT.read_text(encoding="utf-8")) if RESULT.exists() else {}
    kept[arguments.name] = score
    RESULT.write_text(json.dumps(kept, indent=1) + "\n", encoding="utf-8")
    print(json.dumps(score, indent=1))


if __name__ == "__main__":
    main()
