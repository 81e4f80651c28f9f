"""``radia audit --propose`` and ``--policy``: from a delivery of a new hospital to a policy that admits its devices.

Belongs here: reading a folder, and the steward's two files. What speaks against a value is ``privacy.proposal``'s
question. Values go into those files alone: never to the terminal, a log or the lake.
"""

from __future__ import annotations

import csv
import io
import os
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from radia_pipeline.contracts.location import contracts_root, read_yaml
from radia_pipeline.dicom.delivered import read_whole
from radia_pipeline.errors import BadInput, Refusal
from radia_pipeline.privacy.container import parse, sniff
from radia_pipeline.privacy.header import audit
from radia_pipeline.privacy.policy import policy_of, read_policy
from radia_pipeline.privacy.proposal import Delivery, Seen, additions
from radia_pipeline.usecases.given_files import files_below

_FOR_ONE_ALONE = 0o600


@dataclass(frozen=True)
class Proposal:
    """How many files and values were counted, and how many values nothing speaks against."""

    files: int
    values: int
    admitted: int


@dataclass(frozen=True)
class Trial:
    """How a delivery fares under a policy. ``stops``: place and rule -> files; headers and codestreams only."""

    files: int
    passed: int
    stops: dict[str, int] = field(default_factory=dict)


def propose(paths: Iterable[Path], source: str, out: Path) -> Proposal:
    """Write ``out``, a policy of ``source`` that admits the delivery's devices, and ``out`` + ``.seen.csv``.

    The latter holds all values. Both are readable by the caller alone. Raises BadInput where ``out`` lies inside a lake
    or exists.
    """
    _require_own_place(out)
    delivery = Delivery(policy_of(source))
    for data in _dicom_files(paths):
        try:
            delivery.add(parse(data))
        except Refusal:
            continue
    seen = delivery.seen()
    _write(out, _policy_text(source, seen))
    _write(out.with_name(out.name + ".seen.csv"), _seen_text(seen))
    return Proposal(delivery.files, len(seen), sum(one.against is None for one in seen))


def try_policy(paths: Iterable[Path], policy_file: Path) -> Trial:
    """Judge each DICOM file of a delivery by the policy of a file; raises BadInput where that cannot be read."""
    if not policy_file.is_file():
        raise BadInput(f"{policy_file} cannot be read", accepted="a policy file, such as --propose writes")
    policy, files, passed = read_policy(policy_file), 0, 0
    stops: Counter[str] = Counter()
    for data in _dicom_files(paths):
        files += 1
        try:
            found = {str(finding) for finding in audit(parse(data), policy)}
        except Refusal as refusal:
            found = {f"file {refusal.reason}"}
        passed += not found
        stops.update(found)
    return Trial(files, passed, dict(stops.most_common()))


def _dicom_files(paths: Iterable[Path]) -> Iterator[bytes]:
    """Yield the DICOM files; what cannot be read is nobody's device (``radia audit`` names it)."""
    for path in files_below(paths):
        try:
            data, _ = read_whole(path)
        except Refusal:
            continue
        if sniff(data) == "dicom":
            yield data


def _require_own_place(out: Path) -> None:
    if out.exists():
        raise BadInput(f"{out} exists already", do="name another file: a steward's choices are never overwritten")
    if not out.parent.is_dir():
        raise BadInput(f"There is no folder {out.parent}", accepted="a file in a folder that exists")
    if any((parent / "_versions").is_dir() for parent in out.absolute().parents):
        raise BadInput("The proposal would lie inside a lake", do="name a file outside: it holds values of headers")


def _write(path: Path, text: str) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, _FOR_ONE_ALONE)
    with os.fdopen(descriptor, "w", encoding="utf-8") as handle:
        handle.write(text)


def _policy_text(source: str, seen: list[Seen]) -> str:
    path = contracts_root() / "sources" / f"{source}_deid.yaml"
    raw: dict[str, Any] = read_yaml(path) if path.exists() else {"source": source}
    added = additions(seen)
    declared = {keyword: [*listed] for keyword, listed in (raw.get("declared") or {}).items()}
    for keyword, listed in added["declared"].items():
        declared[keyword] = [*declared.get(keyword, []), *listed]
    pseudonym = dict(raw.get("pseudonym") or {})
    for name, forms in (("uid_roots", added["uid_roots"]), ("patients", added["patients"])):
        pseudonym[name] = [*(pseudonym.get(name) or []), *forms]
    policy = raw | {
        "declared": declared,
        "pseudonym": pseudonym,
        "methods": [*(raw.get("methods") or []), *added["methods"]],
    }
    head = (
        "# Proposed from a delivery by `radia audit --propose`. Read each value before you take it over;\n"
        "# those that were left out stand with their reasons in the file beside this one.\n"
    )
    return head + yaml.safe_dump(policy, allow_unicode=True, sort_keys=False, width=120)


def _seen_text(seen: list[Seen]) -> str:
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(["keyword", "value", "files", "devices", "patients", "left_out_because"])
    writer.writerows([one.keyword, one.value, one.files, one.devices, one.patients, one.against or ""] for one in seen)
    return text.getvalue()
