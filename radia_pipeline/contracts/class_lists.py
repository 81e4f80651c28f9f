"""Brings the class lists of ``data_contracts/*.yaml`` in line with the vocabulary after a migration was written there.

Each contract stands for itself, so that anybody can read it; this keeps them from being edited by hand. Text is changed
in place: comments and order stay. Source sheets are left to a person, who knows what a publisher's tokens mean.
"""

from __future__ import annotations

import json
import re
from pathlib import Path

from radia_pipeline.contracts.location import contracts_root, read_yaml
from radia_pipeline.contracts.vocabulary import Vocabulary, parse_vocabulary

_VALID_VALUES = re.compile(r"validValues: (\[[^\]\n]*\])")
_COLUMN = """      - name: {name}
        logicalType: integer
        physicalType: int8
        description: "Label value of {name} for the study."
        classification: de-identified
        quality:
          - type: library
            metric: invalidValues
            mustBe: 0
            arguments: {{validValues: [1, 0, -1]}}
"""


def follow_vocabulary(root: Path | None = None) -> list[str]:
    """Rewrite the contracts under ``root`` (default: those in use) whose class lists are of an earlier version.

    Each that changes gets the next major version. Returns their names; none where all are in line.
    """
    root = root or contracts_root()
    words = parse_vocabulary(read_yaml(root / "vocabulary.yaml"))
    changed = []
    for path in sorted(root.glob("*.yaml")):
        before = path.read_text(encoding="utf-8")
        after = _with_columns(_with_lists(before, words), words)
        if after != before:
            path.write_text(_with_next_version(after), encoding="utf-8")
            changed.append(path.stem)
    return changed


def _with_lists(text: str, words: Vocabulary) -> str:
    """Replace every list that is the whole of an earlier version's classes."""
    earlier = {classes for version, classes in words.classes_by_version.items() if version != words.version}

    def replace(found: re.Match) -> str:
        values = json.loads(found[1])
        listed = json.dumps(list(words.classes), ensure_ascii=False)
        return f"validValues: {listed}" if frozenset(values) in earlier else found[0]

    return _VALID_VALUES.sub(replace, text)


def _with_columns(text: str, words: Vocabulary) -> str:
    """Take out the columns of ended classes and add those of new ones, in a contract with a column for each class."""
    known = set().union(*words.classes_by_version.values())
    blocks = re.split(r"(?m)^(?=      - name: )", text)
    heads = [re.match(r"      - name: (.+)", block) for block in blocks]
    names = [head[1].strip() if head else "" for head in heads]
    places = [place for place, name in enumerate(names) if name in known]
    if not places:
        return text
    held = {names[place] for place in places}
    new = [_COLUMN.format(name=name) for name in words.classes if name not in held]
    kept = [block for place, block in enumerate(blocks) if place not in places or names[place] in words.classes]
    last = max(place for place in places if names[place] in words.classes)
    position = kept.index(blocks[last]) + 1
    return "".join([*kept[:position], *new, *kept[position:]])


def _with_next_version(text: str) -> str:
    return re.sub(r"(?m)^version: (\d+)\..*$", lambda found: f"version: {int(found[1]) + 1}.0.0", text, count=1)
