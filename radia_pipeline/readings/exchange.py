"""Readings out of and into the store: the chain as it stands, a table for spreadsheets; readings made elsewhere.

What comes in is ``imported``: it mends labels and is never truth. A form of file is one line of FORMS. Not here: the
store's own lines (``chain``).
"""

from __future__ import annotations

import csv
import hashlib
import io
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa

from radia_pipeline.contracts.tables import contract
from radia_pipeline.contracts.vocabulary import vocabulary
from radia_pipeline.errors import BadInput, UnknownName
from radia_pipeline.lake import atomic
from radia_pipeline.lake.lake import Lake
from radia_pipeline.readings.in_force import publish_reviews
from radia_pipeline.readings.reading import ANSWERS, IMPORTED, Reading, require_sound
from radia_pipeline.readings.store import Store

COLUMNS = ("source", "study_id", "reader", "class", "answer")
"""What a spreadsheet needs; ``decided_at`` may stand beside them."""
_SHEET = f"columns {', '.join(COLUMNS)}, apart by commas, one answer a line"


@dataclass(frozen=True)
class Exported:
    """What was written, and the head that it must end in."""

    readings: int
    answers: int
    head_lines: int
    head_sha256: str


@dataclass(frozen=True)
class Imported:
    """``readings``: in the file; ``new``: of them, those that the store did not hold; ``of_unknown_studies``: of them,
    those of studies of which the lake has no image, which change no label until one comes.
    """

    readings: int
    new: int
    of_unknown_studies: int


def export_readings(lake: Lake, folder: Path) -> Exported:
    """Write the chain (``readings.jsonl``, ``head.json``) and every answer (``answers.csv``) into a folder.

    The CSV leaves out what the contract calls restricted; the chain holds all, reader codes and comments too.
    """
    published = publish_reviews(lake)
    head = Store(lake).head
    atomic.write_bytes(folder / "readings.jsonl", lake.readings_path.read_bytes() if head.lines else b"")
    atomic.write_text(folder / "head.json", json.dumps(vars(head)) + "\n")
    names = contract("label_reviews").open_columns
    text = io.StringIO()
    writer = csv.DictWriter(text, names, lineterminator="\n")
    writer.writeheader()
    writer.writerows(lake.read("label_reviews", columns=names).to_pylist())
    atomic.write_text(folder / "answers.csv", text.getvalue())
    return Exported(published.readings, published.rows, head.lines, head.sha256)


def import_readings(lake: Lake, path: Path, form: str, *, made_by: str, made_from: str) -> Imported:
    """Append readings made elsewhere, one for each reader and study of a file; the same file twice changes nothing.

    ``made_by``: who brings them in; ``made_from``: what they were made with, and when. Raises BadInput naming the line,
    UnknownName; nothing is appended then.
    """
    if form not in FORMS:
        raise UnknownName(f"the form {form!r}", accepted=", ".join(FORMS))
    readings = _gathered(FORMS[form](path), made_by, made_from)
    if not readings:
        raise BadInput("The file holds no answer", accepted=_SHEET)
    store = Store(lake)
    before = store.head.lines
    for reading in readings:
        require_sound(reading)
    for reading in readings:
        store.append(reading)
    known = lake.read("images", columns=["study_id"]) if lake.partitions("images") else {"study_id": pa.array([])}
    here = set(known["study_id"].to_pylist())
    unknown = sum(reading.study_id not in here for reading in readings)
    return Imported(len(readings), store.head.lines - before, unknown)


def _gathered(rows: Iterator[Mapping[str, str]], made_by: str, made_from: str) -> list[Reading]:
    together: dict[tuple[str, str, str, str], dict[str, int]] = {}
    for number, row in enumerate(rows, start=1):
        missing = [name for name in COLUMNS if not row.get(name)]
        if missing:
            raise BadInput(f"Answer {number} of the file lacks {', '.join(missing)}", accepted=_SHEET)
        if row["answer"] not in ANSWERS:
            raise BadInput(f"Answer {number} of the file is none", accepted=", ".join(ANSWERS))
        if row["class"] not in vocabulary().classes:
            raise BadInput(
                f"Answer {number} of the file is of an unknown class", accepted=", ".join(vocabulary().classes)
            )
        key = (row["source"], row["study_id"], row["reader"], row.get("decided_at") or "")
        if row["class"] in together.setdefault(key, {}):
            raise BadInput(f"Answer {number} of the file stands there twice", do="give each class one answer")
        together[key][row["class"]] = ANSWERS[row["answer"]]
    return [
        Reading(
            source=source,
            study_id=study,
            reader=reader,
            phase=IMPORTED,
            answers=answers,
            asked=tuple(answers),
            role="none",
            decided_at=at,
            made_by=made_by,
            made_from=made_from,
            request_key="imported:"
            + hashlib.sha256(
                json.dumps([source, study, reader, at, sorted(answers.items()), made_by, made_from]).encode()
            ).hexdigest(),
        )
        for (source, study, reader, at), answers in together.items()
    ]


def _from_csv(path: Path) -> Iterator[Mapping[str, str]]:
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            rows = csv.DictReader(file)
            if set(COLUMNS) - set(rows.fieldnames or ()):
                raise BadInput("The file's first line does not name the columns", accepted=_SHEET)
            yield from rows
    except (UnicodeDecodeError, csv.Error):
        raise BadInput("The file is no CSV in UTF-8", do="save it as CSV UTF-8, columns apart by commas") from None


def _from_label_studio(path: Path) -> Iterator[Mapping[str, str]]:
    """Read Label Studio's JSON export: tasks whose data hold source and study_id, one choice for each class."""
    try:
        tasks = json.loads(path.read_text(encoding="utf-8"))
        for task in tasks:
            for annotation in task["annotations"]:
                yield from _choices(task["data"], annotation)
    except (ValueError, KeyError, TypeError, AttributeError):
        accepted = "tasks with data and annotations"
        raise BadInput("The file is no JSON export of Label Studio", accepted=accepted) from None


def _choices(data: Mapping[str, Any], annotation: Mapping[str, Any]) -> Iterator[Mapping[str, str]]:
    for result in annotation["result"]:
        if result.get("type") == "choices":
            yield {
                "source": data["source"],
                "study_id": data["study_id"],
                "class": result["from_name"],
                "reader": f"ls-{annotation['completed_by']}",
                "answer": result["value"]["choices"][0],
                "decided_at": annotation.get("created_at", ""),
            }


FORMS: Mapping[str, Callable[[Path], Iterator[Mapping[str, str]]]] = {
    "csv": _from_csv,
    "label_studio": _from_label_studio,
}
