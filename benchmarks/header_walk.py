"""What the header's walk and judgement cost beside an earlier release, in one run; fuzzing finds only refusals.

Run: ``python benchmarks/header_walk.py --earlier FOLDER [--fuzz-seconds 600]``. ``--earlier`` is a checkout of the
release to compare with; both are timed in processes of their own, in turns, over the same files. Writes
``benchmarks/results/header_walk.json``.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

ROUNDS, FILES, REPEATS = 7, 24, 12
_LONG_SHARE = 0.02
_LONG_HEADS = (b"\x18\0\x53\xa0LT", b"\x18\0\x25\x90FD", b"\x18\0\x20\x16US", b"\x18\0\x20\x10LO")
"""Explicit elements that may hold up to 64 KiB: text, and numbers of any count."""
RESULT = Path(__file__).with_name("results") / "header_walk.json"
TIMED = """
import sys, time
from pathlib import Path
from radia_pipeline.privacy.container import parse
from radia_pipeline.privacy.header import audit
from radia_pipeline.privacy.policy import policy_of
policy, contents = policy_of("ccsmtl"), [path.read_bytes() for path in sorted(Path(sys.argv[1]).iterdir())]
for data in contents: audit(parse(data), policy)
began = time.process_time()
for _ in range(int(sys.argv[2])):
    for data in contents:
        parsed = parse(data)
        parsed.dataset, parsed.meta
        audit(parsed, policy)
print((time.process_time() - began) / (int(sys.argv[2]) * len(contents)))
"""


def write_files(folder: Path) -> None:
    """Write headers as devices deliver them, in native, implicit and compressed syntaxes, pixels small."""
    from pydicom.dataset import Dataset
    from pydicom.sequence import Sequence

    from radia_pipeline_tests.dicom import files

    syntaxes = (*files.NATIVE[:2], files.JPEG_2000, files.LOSSLESS[1])
    for number in range(FILES):
        step, syntax = Dataset(), syntaxes[number % len(syntaxes)]
        step.ReferencedSOPClassUID, step.ReferencedSOPInstanceUID = files.DX, f"{files.ROOT}6{number}"
        tags = {
            "KVP": "125",
            "ExposureTime": "8",
            "XRayTubeCurrent": "250",
            "Exposure": "2",
            "ImagerPixelSpacing": [0.16, 0.16],
            "WindowCenter": "2048",
            "WindowWidth": "4096",
            "RescaleSlope": "1",
            "RescaleIntercept": "0",
            "RescaleType": "US",
            "SeriesDate": "20220202",
            "ContentDate": "20220202",
            "StudyTime": "101112",
            "SeriesNumber": "1",
            "InstanceNumber": "1",
            "DistanceSourceToDetector": "1800",
            "DetectorID": "D123871",
            "DetectorType": "SCINTILLATOR",
            "PositionerType": "COLUMN",
            "LossyImageCompression": "00",
            "BurnedInAnnotation": "NO",
            "Sensitivity": "318",
            "ReferencedImageSequence": Sequence([step]),
            "ImageLaterality": "U",
            "PresentationLUTShape": "IDENTITY",
        }
        ds = files.dataset(files.picture(number, (64, 64)), number=number, syntax=syntax, **tags)
        (folder / f"{number:02d}.dcm").write_bytes(files.to_bytes(ds))


def seconds_a_file(checkout: Path, folder: Path) -> float:
    """Return processor seconds for parsing and judging one header, by the code of a checkout."""
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", TIMED, str(folder), str(REPEATS)],
        cwd=checkout,
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": str(checkout)},
        check=True,
    )
    return float(done.stdout)


def fuzz(folder: Path, seconds: float) -> dict[str, float]:
    """Mutate files; return how many were refused or judged, and the slowest. Any other exception ends the run."""
    from radia_pipeline.errors import Refusal
    from radia_pipeline.privacy.container import parse
    from radia_pipeline.privacy.header import audit
    from radia_pipeline.privacy.policy import policy_of

    rng, policy = random.Random(7), policy_of("ccsmtl")
    contents = [path.read_bytes() for path in sorted(folder.iterdir())]
    counts, ends, slowest = {"refused": 0, "judged": 0}, time.monotonic() + seconds, 0.0
    while time.monotonic() < ends:
        data, began = mutated(rng, contents), time.process_time()
        try:
            audit(parse(data), policy)
            counts["judged"] += 1
        except Refusal:
            counts["refused"] += 1
        slowest = max(slowest, time.process_time() - began)
    return counts | {"seconds": seconds, "slowest_s": round(slowest, 4)}


def mutated(rng: random.Random, contents: list[bytes]) -> bytes:
    """Return a file with some bytes changed, cut, repeated or taken from another; at times with a long value."""
    data = bytearray(rng.choice(contents))
    if rng.random() < _LONG_SHARE:
        at = data.index(b"\x28\0\2\0", 132)
        unit = rng.choice((b", ", b"ab ", b"A\0", b"1 ", b"a@", b"1-", b"\0\0\0A", b"a^"))
        body = unit * (rng.randrange(1 << 15) // len(unit) // 4 * 4)
        data[at:at] = rng.choice(_LONG_HEADS) + len(body).to_bytes(2, "little") + body
    for _ in range(rng.randint(1, 8)):
        at, size = rng.randrange(len(data)), rng.randint(1, 40)
        kind = rng.randrange(4)
        if kind == 0:
            data[at] = rng.randrange(256)
        elif kind == 1:
            del data[at : at + size]
        elif kind == 2:
            data[at:at] = data[at : at + size]
        else:
            other = rng.choice(contents)
            start = rng.randrange(len(other))
            data[at : at + size] = other[start : start + size]
        data = data or bytearray(b"\0")
    return bytes(data)


def main() -> None:
    """Compare and fuzz."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--earlier", type=Path)
    parser.add_argument("--fuzz-seconds", type=float, default=600.0)
    given = parser.parse_args()
    here = Path(__file__).resolve().parents[1]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_files(folder)
        if given.earlier is None:
            print("No --earlier: only fuzzed, and the kept result stays", fuzz(folder, given.fuzz_seconds))
            return
        pairs = [(seconds_a_file(given.earlier, folder), seconds_a_file(here, folder)) for _ in range(ROUNDS)]
        found = fuzz(folder, given.fuzz_seconds)
    earlier, now = (statistics.median(times) for times in zip(*pairs, strict=True))
    ratios = np.array([b / a for a, b in pairs])
    result = {
        "what": "parse and judge one header, processor time, both releases in turns on a shared machine",
        "earlier_ms": round(1000 * earlier, 3),
        "now_ms": round(1000 * now, 3),
        "ratio": round(float(np.median(ratios)), 3),
        "ratio_lowest": round(float(ratios.min()), 3),
        "ratio_highest": round(float(ratios.max()), 3),
        "rounds": ROUNDS,
        "files": FILES,
        "fuzz": found,
    }
    RESULT.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    print(json.dumps(result, indent=1))


if __name__ == "__main__":
    main()
