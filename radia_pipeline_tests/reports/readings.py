"""How the development set, whole and in pieces, is read, as one digest: what must not change without a new version.

People write the development set; what nobody writes is made of it: words left out, two swapped, a report turned around
or gone over into another in the middle, a sign more. Nobody says what such a text means, but a reader that reads one
otherwise than before is another reader, and lakes would keep what the old one read.
"""

from __future__ import annotations

import functools
import hashlib
import json
import random
from collections.abc import Iterator, Sequence
from pathlib import Path

from radia_pipeline.errors import ContractViolation
from radia_pipeline.reports.engine import Labeler
from radia_pipeline_tests.reports.texts import blind_set, dev_set

KEPT = Path(__file__).with_name("readings.json")
SIGNS = ("\n", ":", ";", "|", "-", "?", "non", "ou", ",", "/", ".", "vs", "et", "+", "0", "1/", "à droite")
EACH = 2
"""How many altered texts are made of each."""


def altered(texts: Sequence[str], seed: int = 20261202) -> Iterator[str]:
    """Yield texts that are made of ``texts`` by one change each, the same for the same texts and seed."""
    draw = random.Random(seed)
    for text in texts:
        for _ in range(EACH):
            words, other = _parts(text), _parts(draw.choice(texts))
            at, further = draw.randrange(len(words)), draw.randrange(len(words))
            match draw.randrange(6):
                case 0:
                    words = words[at:] + words[:at]
                case 1:
                    del words[at]
                case 2:
                    words = words[: at + 1] + other[draw.randrange(len(other)) :]
                case 3:
                    words = [*words[: at + 1], draw.choice(SIGNS), *other[draw.randrange(len(other)) :]]
                case 4:
                    words.insert(at, draw.choice(SIGNS))
                case _:
                    words[at], words[further] = words[further], words[at]
            yield " ".join(words).replace(" \n ", "\n")


def _parts(text: str) -> list[str]:
    return text.replace("\n", " \n ").split(" ")


@functools.cache
def development_texts() -> tuple[str, ...]:
    """Return every text that the rules may be mended on."""
    return tuple(text for _, text, _ in (*dev_set(), *blind_set()))


@functools.cache
def digest() -> str:
    """Return the digest of every mention, attribute and label that the rules read in these texts."""
    read, found, texts = Labeler.default().read, hashlib.sha256(), development_texts()
    for text in (*texts, *altered(texts)):
        found.update(json.dumps(read(text), ensure_ascii=False).encode() + b"\n")
    return found.hexdigest()


def readings() -> str:
    """Return what is kept of how texts are read today.

    Raises ContractViolation where the same texts are read otherwise than was kept and the version is the same: then it
    was the code that changed, and lakes would keep what the old one read.
    """
    texts = hashlib.sha256("\0".join(development_texts()).encode()).hexdigest()
    now, before = (
        {"version": Labeler.default().version, "texts": texts, "digest": digest()},
        json.loads(KEPT.read_text("utf-8")),
    )
    is_same = all(now[key] == before.get(key) for key in ("version", "texts"))
    if is_same and now["digest"] != before["digest"]:
        raise ContractViolation(
            "Texts are read otherwise under the same version", do="raise READER_VERSION in reports/language.py first"
        )
    return json.dumps(now, indent=1) + "\n"
