"""Reports -> ``report_mentions`` and ``report_attributes``, on all cores.

Belongs here: tables and processes. Does not belong here: reading (``engine``). No text leaves this module but in the
restricted column ``sentence``; results carry counts only.
"""

from __future__ import annotations

import multiprocessing
import os
from collections import Counter
from collections.abc import Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from radia_pipeline.contracts.tables import conform, empty
from radia_pipeline.lake.lake import Lake
from radia_pipeline.reports.changes import moved, summary
from radia_pipeline.reports.engine import Attributes, Labeler
from radia_pipeline.reports.labels import said_from_mentions
from radia_pipeline.reports.sentence.clause import UNREAD

CHUNK = 4_000
"""Reports per task: about half a second of work, a few megabytes of rows."""
WORTH_A_POOL = 3 * CHUNK
"""Below this, starting processes costs more than it saves."""

_ATTRIBUTES = Attributes._fields
_MENTION_COLUMNS = ("concept", "class", "status", "section", "sentence", "span_start", "span_end", "cue", "rule_id")


@dataclass(frozen=True)
class MentionsResult:
    """Counts for metadata. ``unread``: findings that no rule understood; ``by_rule``: mentions by deciding rule.
    ``moved``: what the rules say otherwise than before, as class, from, to, count; ``engine_before``: "" at first."""

    reports: int
    mentions: int
    unlabelled: int
    unread: int
    engine_version: str
    changed: bool
    by_rule: Mapping[str, int] = field(default_factory=dict)
    engine_before: str = ""
    moved: tuple[Mapping[str, Any], ...] = ()


def extract_mentions(source_name: str, lake: Lake, workers: int | None = None) -> MentionsResult:
    """Read every report of a source and publish its three tables. ``workers``: processes, all cores by default."""
    reports = lake.read("reports", source_name, columns=["study_id", "report_text"])
    before, engine_before = _said_before(source_name, lake)
    tables = [_tables(source_name, *chunk) for chunk in _read_all(reports, workers)]
    mentions = _concat("report_mentions", [m for m, _ in tables])
    attributes = _concat("report_attributes", [a for _, a in tables])
    written = [
        lake.write("report_mentions", mentions, source_name),
        lake.write("report_attributes", attributes, source_name),
        lake.write("unread_sentences", unread_sentences(mentions), source_name),
    ]
    moves = moved(before, said_from_mentions(mentions, attributes)) if before is not None else {}
    rules = Counter(mentions.column("rule_id").to_pylist())
    return MentionsResult(
        reports=len(reports),
        mentions=len(mentions),
        unlabelled=sum(attributes.column("is_unlabelled").to_pylist()),
        unread=sum(attributes.column("unread_count").to_pylist()),
        engine_version=Labeler.default().version,
        changed=any(w.changed for w in written),
        by_rule=dict(sorted(rules.items())),
        engine_before=engine_before,
        moved=tuple(summary(moves)),
    )


def _said_before(source_name: str, lake: Lake) -> tuple[pa.Table | None, str]:
    """Return the labels that the published tables stand for, and the engine that made them."""
    if not (lake.exists("report_mentions", source_name) and lake.exists("report_attributes", source_name)):
        return None, ""
    attributes = lake.read("report_attributes", source_name)
    mentions = lake.read("report_mentions", source_name, columns=["study_id", "class", "status"])
    versions = pc.unique(attributes.column("engine_version")).to_pylist()
    return said_from_mentions(mentions, attributes), versions[0] if versions else ""


def unread_sentences(mentions: pa.Table) -> pa.Table:
    """Return the mentions that no rule could read (restricted: holds sentences), for a person to review."""
    unread = mentions.filter(pc.equal(mentions.column("rule_id"), UNREAD))
    versions = pa.array([Labeler.default().version] * len(unread), pa.string())
    unread = unread.drop_columns(["status", "cue", "rule_id"]).append_column("engine_version", versions)
    return conform("unread_sentences", unread)


def _read_all(reports: pa.Table, workers: int | None) -> Iterator[tuple[list[str], list[tuple], list[tuple]]]:
    chunks = [reports.slice(at, CHUNK) for at in range(0, len(reports), CHUNK)]
    jobs = [(c.column("study_id").to_pylist(), c.column("report_text").to_pylist()) for c in chunks]
    workers = workers or os.cpu_count() or 1
    if workers == 1 or len(reports) < WORTH_A_POOL:
        yield from map(_read_chunk, jobs)
        return
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(min(workers, len(jobs)), mp_context=context) as pool:
        yield from pool.map(_read_chunk, jobs)


def _read_chunk(job: tuple[list[str], list[str]]) -> tuple[list[str], list[tuple], list[tuple]]:
    """Read one chunk; return its study ids, mention rows (study, index, …) and attribute rows in the same order."""
    read = Labeler.default().read
    mentions, attributes = [], []
    for study, text in zip(*job, strict=True):
        reading = read(text)
        mentions += [(study, index, *mention) for index, mention in enumerate(reading.mentions)]
        attributes.append(tuple(reading.attributes))
    return job[0], mentions, attributes


def _tables(
    source: str, studies: list[str], mentions: list[tuple], attributes: list[tuple]
) -> tuple[pa.Table, pa.Table]:
    names = ("study_id", "mention_index", *_MENTION_COLUMNS)
    columns = (
        dict(zip(names, map(list, zip(*mentions, strict=True)), strict=True)) if mentions else {n: [] for n in names}
    )
    columns["source"] = [source] * len(mentions)
    about = (
        dict(zip(_ATTRIBUTES, map(list, zip(*attributes, strict=True)), strict=True))
        if attributes
        else {n: [] for n in _ATTRIBUTES}
    )
    about |= {"source": [source] * len(studies), "study_id": studies}
    about["engine_version"] = [Labeler.default().version] * len(studies)
    return conform("report_mentions", pa.table(_typed(columns))), conform("report_attributes", pa.table(_typed(about)))


def _typed(columns: dict[str, list]) -> dict[str, pa.Array]:
    """Give empty or all-null columns a type that the contract can cast."""
    return {
        name: pa.array(values, pa.string() if not any(v is not None for v in values) else None)
        for name, values in columns.items()
    }


def _concat(table: str, parts: list[pa.Table]) -> pa.Table:
    return pa.concat_tables(parts) if parts else empty(table)
