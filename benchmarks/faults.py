"""Fault suite at full size: mutated files, print burned into anatomy, clean files over all syntaxes; results by number.

A mutated file must end refused, or with the size its header says; the run must go on; nine of ten planted prints are
found and no clean file is refused. Exit status 1 where it does not hold. Kills at 26 named points are the slow tests of
``radia_pipeline_tests/dicom/test_kills.py``, tags those of ``test_audit.py``.
"""

from __future__ import annotations

import argparse
import json
import random
import struct
import tempfile
import warnings
import zlib
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence

from radia_pipeline.dicom.ingest import ingest_images
from radia_pipeline.dicom.render import render_native
from radia_pipeline.lake.keys import Pseudonymizer
from radia_pipeline.lake.lake import Lake
from radia_pipeline.privacy import prints, reasons
from radia_pipeline.privacy.limits import Limits
from radia_pipeline.privacy.policy import policy_of
from radia_pipeline_tests.dicom import files
from radia_pipeline_tests.dicom import test_false_alarms as clean

RESULT = Path(__file__).parent / "results" / "faults.json"
REAL = Path(__file__).resolve().parents[2] / "shared" / "real"
SIZE = (96, 80)
KEYS = Pseudonymizer(b"0123456789abcdef0123456789abcdef")


def flip_bits(data: bytes, rnd: random.Random) -> bytes:
    """Flip up to eight bits anywhere."""
    out = bytearray(data)
    for _ in range(rnd.randint(1, 8)):
        out[rnd.randrange(len(out))] ^= 1 << rnd.randrange(8)
    return bytes(out)


def overwrite(data: bytes, rnd: random.Random) -> bytes:
    """Overwrite a run of bytes with noise."""
    at = rnd.randrange(132, len(data))
    noise = rnd.randbytes(min(rnd.randint(1, 400), len(data) - at))
    return data[:at] + noise + data[at + len(noise) :]


def truncate(data: bytes, rnd: random.Random) -> bytes:
    """Cut the file."""
    return data[: rnd.randrange(len(data))]


def lie(data: bytes, rnd: random.Random) -> bytes:
    """Change a value of group 0028, in its own two bytes."""
    tag = struct.pack("<HH", 0x0028, rnd.choice([2, 8, 0x10, 0x11, 0x100, 0x101, 0x102, 0x103]))
    at = data.find(tag)
    if at < 0:
        return flip_bits(data, rnd)
    value = struct.pack("<H", rnd.choice([0, 1, 7, 8, 9, 16, 32, 79, 81, 95, 97, 4096, 65535]))
    return data[: at + 8] + value + data[at + 10 :]


def lengths(data: bytes, rnd: random.Random) -> bytes:
    """Change a length field of some element."""
    at = rnd.randrange(132, max(133, min(len(data) - 4, 1200)))
    return data[:at] + struct.pack("<I", rnd.choice([0, 0xFFFFFFFF, 0xFFFFFFFE, 0x7FFFFFFF, 3])) + data[at + 4 :]


def nest(data: bytes, rnd: random.Random) -> bytes:
    """Put a sequence in a sequence in a sequence, up to beyond the parser's stack."""
    inner = Dataset()
    inner.PatientName = "X^Y"
    for _ in range(rnd.choice([3, 20, 150])):
        outer = Dataset()
        outer.ViewCodeSequence = Sequence([inner])
        inner = outer
    ds = files.dataset(files.picture(1, SIZE), number=rnd.randrange(1 << 40))
    ds.ViewCodeSequence = inner.ViewCodeSequence
    return files.to_bytes(ds)


def bomb(data: bytes, rnd: random.Random) -> bytes:
    """Grow a deflated data set to half a gigabyte of zeros."""
    head = files.clean_file(rnd.randrange(1 << 40), syntax=files.NATIVE[3])
    start = 132 + 12 + struct.unpack_from("<I", head, 140)[0]
    machine = zlib.compressobj(9, zlib.DEFLATED, -15)
    body = b"".join(machine.compress(bytes(1 << 20)) for _ in range(512)) + machine.flush()
    return head[:start] + body


MUTATIONS: dict[str, tuple[Callable[[bytes, random.Random], bytes], int]] = {
    "bit flips": (flip_bits, 30),
    "noise": (overwrite, 20),
    "truncation": (truncate, 20),
    "lying tags": (lie, 20),
    "lengths": (lengths, 20),
    "nesting": (nest, 2),
    "bomb": (bomb, 1),
}


def mutated(delivery: files.Delivery, count: int, seed: int) -> dict[str, str]:
    """Write mutated files over all syntaxes; returns {path: kind}."""
    rnd, kinds = random.Random(seed), {}
    bag = [name for name, (_, share) in MUTATIONS.items() for _ in range(share)]
    bombs = 0
    for number in range(count):
        kind = rnd.choice(bag)
        if kind == "bomb":
            bombs += 1
            kind = kind if bombs <= 12 else "bit flips"
        name = f"{number // 1000:02d}/{number:06d}.dcm"
        pixels = files.picture(number, SIZE)
        clean = files.to_bytes(files.dataset(pixels, number=number + 1, syntax=rnd.choice(files.EXACT)))
        delivery.put(name, MUTATIONS[kind][0](clean, rnd))
        kinds[f"dicom/{name}"] = kind
    return kinds


def gate(folder: Path) -> dict:
    """Count found prints and false alarms on invented anatomies, and on real chests where they are."""
    planted = [
        clean.verdict(
            clean.as_file(
                clean.printed(clean.film(number), text, corner, 18 + 3 * (number % 7)), number, files.EXPLICIT
            ),
            folder,
        ).reason
        == reasons.IDENTITY_IN_PIXELS
        for number, text in enumerate(clean.PRINTS * 20)
        for corner in [clean.CORNERS[number * 5 // 6 % 6]]
    ]
    syntaxes = clean.SYNTAXES
    alarms = [
        clean.verdict(clean.as_file(clean.film(n), n, syntaxes[n % len(syntaxes)]), folder).reason is not None
        for n in range(100)
    ]
    real = sorted((REAL / "nih_cxr14" / "images").rglob("*.png"))
    marks = policy_of("ccsmtl").ocr_allowed
    found = [prints.find_text(render_native(path).astype(np.float32), marks).rule is not None for path in real]
    return {
        "prints": len(planted),
        "prints_found": sum(planted),
        "clean_phantoms": len(alarms),
        "false_alarms": sum(alarms),
        "real_chests": len(found),
        "false_alarms_real": sum(found),
    }


def main() -> int:
    """Run, print, keep; 0 where everything held."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--files", type=int, default=5000)
    parser.add_argument("--seed", type=int, default=11)
    arguments = parser.parse_args()
    warnings.simplefilter("ignore")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        delivery, lake = files.Delivery(folder / "delivery"), Lake.open(folder / "lake")
        kinds = mutated(delivery, arguments.files, arguments.seed)
        result = ingest_images(delivery, delivery.root, lake, KEYS, ocr="off", limits=Limits(seconds=20.0))
        images = lake.read("images", "ccsmtl").to_pylist()
        wrong_size = [row for row in images if (row["original_height_px"], row["original_width_px"]) != SIZE]
        ended = Counter()
        for table, column in (("images", None), ("duplicates", "kind"), ("quarantine", "reason")):
            for row in lake.read(table, "ccsmtl").to_pylist():
                ended[f"{kinds[row['delivered_path']]}: {row[column] if column else 'ingested'}"] += 1
    found = {
        "files": result.found,
        "ingested": result.ingested,
        "quarantined": result.quarantined,
        "duplicates": result.duplicates,
        "reasons": result.reasons,
        "lost": result.found - result.ingested - result.quarantined - result.duplicates,
        "wrong_size": len(wrong_size),
        "seconds": result.seconds,
        "by_mutation": dict(sorted(ended.items())),
    }
    with tempfile.TemporaryDirectory() as name:
        found["gate"] = gate(Path(name))
    RESULT.parent.mkdir(exist_ok=True)
    RESULT.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    print(json.dumps(found, indent=1))
    missed = found["gate"] and found["gate"]["prints_found"] < 0.9 * found["gate"]["prints"]
    alarms = found["gate"] and found["gate"]["false_alarms"] + found["gate"]["false_alarms_real"]
    return int(bool(found["lost"] or found["wrong_size"] or missed or alarms))


if __name__ == "__main__":
    raise SystemExit(main())
