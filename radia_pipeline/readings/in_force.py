"""Readings as a table, and what they make of labels: which answers are in force, and what several readers say together.

Not here: truth of a reading set, and how a label is laid over what a source says (``labels.readings``).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from radia_pipeline.contracts.label_values import UNCERTAIN
from radia_pipeline.contracts.pools import HELD_OUT
from radia_pipeline.contracts.tables import conform, empty
from radia_pipeline.errors import DamagedFile
from radia_pipeline.lake.keys import Pseudonymizer
from radia_pipeline.lake.lake import Lake
from radia_pipeline.readings.carried import answers_across
from radia_pipeline.readings.chain import READ, Head, Line
from radia_pipeline.readings.frame import pools_of_studies
from radia_pipeline.readings.reading import ADJUDICATION, PHASES, QUEUE, REREAD, Reading
from radia_pipeline.readings.store import lines_of

REVEALED = (REREAD, QUEUE)
"""Phases of readings that a model's answer may have led."""


@dataclass(frozen=True)
class InForce:
    """What readings say of a cell. ``review_id`` grows in the order in which the last of them were given."""

    review_id: str
    value: int | None


@dataclass(frozen=True)
class PublishedReviews:
    """``label_reviews`` as published, with the head that witnesses the store: lines and hash."""

    readings: int
    rows: int
    version: str
    head_lines: int
    head_sha256: str


def publish_reviews(lake: Lake) -> PublishedReviews:
    """Publish every answer of the store as ``label_reviews``, with the head of the chain.

    Raises DamagedFile where the store does not hold a line that was published before: it is another lake's, or an older
    one. A forgotten line is still known by its hash.
    """
    proved = [(mark, line) for mark, line in lines_of(lake)]
    head = Head(proved[-1][0].number, proved[-1][0].tail) if proved else Head(0, "")
    lines = [line for _, line in proved if line is not None]
    hash_of = {mark.number: mark.tail for mark, _ in proved}
    _require_what_was_published(lake, hash_of)
    gone = taken_back(lines)
    read = [line for line in lines if line.kind == READ]
    rows = [row for line in read for row in _rows(line, line.sequence not in gone, hash_of[line.sequence])]
    table = conform("label_reviews", rows) if rows else empty("label_reviews")
    written = lake.write("label_reviews", table)
    return PublishedReviews(len(read), written.rows, written.version, head.lines, head.sha256)


def _require_what_was_published(lake: Lake, hash_of: Mapping[int, str]) -> None:
    published = lake.last_sound("label_reviews")
    if published is None or "line_sha256" not in published.column_names:
        return
    for row in published.select(["sequence", "line_sha256"]).to_pylist():
        if row["line_sha256"] is not None and hash_of.get(row["sequence"]) != row["line_sha256"]:
            raise DamagedFile(
                f"Line {row['sequence']} of the store of readings is not the one that label_reviews was made of",
                do="restore the folder reviews/ as it last was: this one is another lake's or an older one; where its "
                "later lines are lost for good, remove label_reviews/all.parquet and say so to who used them",
            )


def _rows(line: Line, is_in_force: bool, sha256: str) -> Iterable[dict]:
    reading = line.reading
    same = (
        "source",
        "study_id",
        "not_assessable",
        "reader",
        "role",
        "phase",
        "set_id",
        "origin",
        "made_from",
        "decided_at",
        "active_s",
        "is_slow",
        "vocabulary_version",
    )
    row = {name: getattr(reading, name) for name in same}
    row |= {"sequence": line.sequence, "is_in_force": is_in_force, "line_sha256": sha256}
    row["is_blind"] = PHASES[reading.phase].is_blind
    return [{**row, "class": name, "value": reading.answers.get(name)} for name in reading.asked]


def taken_back(lines: Iterable[Line]) -> set[int]:
    """Return the sequences of readings that an event took back or a later reading superseded."""
    gone: set[int] = set()
    for line in lines:
        gone.update(line.content.get("undoes", ()))
        if line.content.get("supersedes") is not None:
            gone.add(line.content["supersedes"])
    return gone


def readings_in_force(lake: Lake) -> list[tuple[int, Reading]]:
    """Return (sequence, reading) of every reading that nobody took back, in order; of people, in a demo lake of
    simulated readers too.
    """
    return in_force(lake, [line for _, line in lines_of(lake) if line is not None])


def in_force(lake: Lake, lines: Sequence[Line]) -> list[tuple[int, Reading]]:
    """Do as ``readings_in_force`` does on the store's lines, which the caller has proved."""
    gone, is_demo = taken_back(lines), Pseudonymizer.is_demo(lake)
    read = ((line.sequence, line.reading) for line in lines if line.kind == READ and line.sequence not in gone)
    return [(sequence, reading) for sequence, reading in read if is_demo or reading.origin == "person"]


def labels_in_force(lake: Lake) -> dict[tuple[str, str, str], InForce]:
    """Return what readings make of each (source, study_id, class).

    Each reader's latest answer counts once, whatever others said after. An adjudicator's answer decides; else what most
    readers say; readers who are as many against as for make it uncertain. Rereadings after a reveal mend the training
    pool only: whoever saw the model's answer does not judge the model.
    """
    last: dict[tuple[str, str, str], dict[str, tuple[int, int, bool]]] = {}
    for sequence, reading in _mending(lake):
        for name, value in reading.answers.items():
            cell = (reading.source, reading.study_id, name)
            last.setdefault(cell, {})[reading.reader] = (sequence, value, reading.phase == ADJUDICATION)
    return {cell: InForce(*_together(by_reader)) for cell, by_reader in last.items()}


def boxes_in_force(lake: Lake, source: str) -> list[dict]:
    """Return the boxes of a source that readers drew or confirmed: image_id, class, x_px … height_px, reader.

    They come from the readings that make labels, each reader's latest reading of a study alone.
    """
    latest = {(reading.study_id, reading.reader): reading for _, reading in _mending(lake) if reading.source == source}
    return [
        {
            "image_id": box.image_id,
            "class": box.class_name,
            "x_px": box.x_px,
            "y_px": box.y_px,
            "width_px": box.width_px,
            "height_px": box.height_px,
            "reader": reader,
        }
        for (_, reader), reading in sorted(latest.items(), key=lambda one: one[0])
        for box in reading.boxes
        if box.is_confirmed
    ]


def cells_read(lake: Lake) -> set[tuple[str, str, str]]:
    """Return the cells (source, study_id, class) whose label a reading in force may have changed, or found that nobody
    can tell, in the words of the installed vocabulary.
    """
    return {
        (reading.source, reading.study_id, name) for _, reading in _mending(lake) for name in answers_across(reading)
    }


def _mending(lake: Lake) -> Iterator[tuple[int, Reading]]:
    """Yield the readings in force that may change labels: not those after a reveal where a model is judged."""
    pools = pools_of_studies(lake)
    for sequence, reading in readings_in_force(lake):
        is_revealed = reading.phase in REVEALED and pools.get(reading.study_id) in HELD_OUT
        if PHASES[reading.phase].makes_label and not is_revealed:
            yield sequence, reading


def _together(by_reader: Mapping[str, tuple[int, int, bool]]) -> tuple[str, int]:
    decided = [answer for answer in by_reader.values() if answer[2]]
    answers = [max(decided)] if decided else list(by_reader.values())
    counted = Counter(value for _, value, _ in answers).most_common()
    is_tied = len(counted) > 1 and counted[0][1] == counted[1][1]
    latest = max(sequence for sequence, _, _ in by_reader.values())
    return f"r{latest:012d}", UNCERTAIN if is_tied else counted[0][0]
