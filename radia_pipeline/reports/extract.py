"""Reports -> ``report_mentions`` and ``report_attributes``, on all cores.

Belongs here: tables and processes. Does not belong here: reading (``engine``). No text leaves this module but in the
restricted column ``sentence``; results carry counts only.
"""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from radia_pipeline.contracts.tables import conform, empty
from radia_pipeline.errors import RadiaError, RunFailed
from radia_pipeline.lake.lake import Lake
from radia_pipeline.processes import pool
from radia_pipeline.processes.frames import Caps, Frame
from radia_pipeline.processes.items import map_items
from radia_pipeline.processes.progress import say
from radia_pipeline.processes.where import Where, where_of
from radia_pipeline.reports.changes import moved, summary
from radia_pipeline.reports.engine import Labeler
from radia_pipeline.reports.french import FRENCH
from radia_pipeline.reports.labels import said_from_mentions
from radia_pipeline.reports.reading import Attributes
from radia_pipeline.reports.sentence.clause import UNREAD

CHUNK = 4_000
"""Reports per task: about half a second of work, a few megabytes of rows."""
CLUSTER_CHUNK = CHUNK // 8
"""Reports per task on a cluster, whose portions hold several: a lost node costs seconds."""
WORTH_A_POOL = 3 * CHUNK
"""Below this, starting processes costs more than it saves."""

WORK = pool.Work(
    f"{__name__}:read_frame", f"{__name__}:warm_up", seconds=600.0, memory_bytes=8 << 30, caps=Caps(json_bytes=1 << 28)
)
"""How chunks are read in processes; a chunk of the longest reports takes a few megabytes and seconds."""

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


def extract_mentions(
    source_name: str, lake: Lake, workers: int | None = None, *, pool_address: str | None = None,
    tell: Callable[[str], None] = say,
) -> MentionsResult:  # fmt: skip
    """Read every report of a source and publish its three tables. ``workers``: processes, all cores by default.

    ``pool_address``: where reports are read (``where.where_of``), None as the lake's settings say; ``tell`` hears of
    its nodes.
    """
    reports = lake.read("reports", source_name, columns=["study_id", "report_text"])
    before, engine_before = _said_before(source_name, lake)
    tables = list(_read_all(source_name, reports, workers, where_of(lake, pool_address, tell=tell)))
    mentions = _concat("report_mentions", [m for m, _ in tables])
    attributes = _concat("report_attributes", [a for _, a in tables])
    written = [
        lake.write("report_mentions", mentions, source_name),
        lake.write("report_attributes", attributes, source_name),
        lake.write("unread_sentences", unread_sentences(mentions), source_name),
    ]
    moves = moved(before, said_from_mentions(mentions, attributes)) if before is not None else {}
    rules = pc.value_counts(mentions.column("rule_id")).to_pylist()
    return MentionsResult(
        reports=len(reports),
        mentions=len(mentions),
        unlabelled=pc.sum(attributes.column("is_unlabelled")).as_py() or 0,
        unread=pc.sum(attributes.column("unread_count")).as_py() or 0,
        engine_version=FRENCH.version,
        changed=any(w.changed for w in written),
        by_rule=dict(sorted((row["values"], row["counts"]) for row in rules)),
        engine_before=engine_before,
        moved=tuple(summary(moves)),
    )


def _said_before(source_name: str, lake: Lake) -> tuple[pa.Table | None, str]:
    """Return the labels that the published tables stand for, and the engine that made them."""
    attributes = lake.last_sound("report_attributes", source_name)
    mentions = lake.last_sound("report_mentions", source_name, columns=["study_id", "class", "status"])
    if attributes is None or mentions is None:
        return None, ""
    versions = pc.unique(attributes.column("engine_version")).to_pylist()
    return said_from_mentions(mentions, attributes), versions[0] if versions else ""


def unread_sentences(mentions: pa.Table) -> pa.Table:
    """Return the mentions that no rule could read (restricted: holds sentences), for a person to review."""
    unread = mentions.filter(pc.equal(mentions.column("rule_id"), UNREAD))
    versions = pa.array([FRENCH.version] * len(unread), pa.string())
    unread = unread.drop_columns(["status", "cue", "rule_id"]).append_column("engine_version", versions)
    return conform("unread_sentences", unread)


def _read_all(source: str, reports: pa.Table, workers: int | None, where: Where) -> Iterator[tuple[pa.Table, pa.Table]]:
    """Yield mentions and attributes of each chunk in order; only a few chunks are under way at a time."""
    size = CHUNK if where.is_local else CLUSTER_CHUNK
    jobs = (_job(source, reports.slice(at, size)) for at in range(0, len(reports), size))
    workers = workers or pool.default_workers()
    if where.is_local and (workers == 1 or len(reports) < WORTH_A_POOL):
        yield from (_read_chunk(*job) for job in jobs)
        return
    for answer in pool.in_order(map_items(WORK, map(Frame, jobs), workers=workers, window=4 * workers, where=where)):
        if isinstance(answer, RadiaError):
            raise answer
        if isinstance(answer, pool.Lost):
            raise RunFailed(
                f"A process that reads reports was lost ({answer}); earlier tables are intact",
                do="look whether memory is left, then run again",
            )
        mentions, attributes = map(_unpacked, answer.arrays)
        yield mentions, attributes


def _job(source: str, reports: pa.Table) -> tuple[str, list[str], list[str]]:
    return source, reports.column("study_id").to_pylist(), reports.column("report_text").to_pylist()


def warm_up() -> None:
    """Read the words and rules once for all workers; runs before they are forked.

    What stands then never goes, and the collector need not look it over in every worker again.
    """
    Labeler.default()
    gc.collect()
    gc.freeze()


def read_frame(job: Frame) -> Frame:
    """Read one chunk (source, study ids, texts); runs in a worker. The tables cross as bytes of Arrow's stream."""
    return Frame(None, tuple(map(_packed, _read_chunk(*job.body))))


def _packed(table: pa.Table) -> np.ndarray:
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as stream:
        stream.write_table(table)
    return np.frombuffer(sink.getvalue(), np.uint8)


def _unpacked(content: np.ndarray) -> pa.Table:
    return pa.ipc.open_stream(pa.py_buffer(content)).read_all()


def _read_chunk(source: str, studies: list[str], texts: list[str]) -> tuple[pa.Table, pa.Table]:
    """Read one chunk of reports into mentions and attributes."""
    labeler = Labeler.default()
    mentions, attributes = [], []
    for study, text in zip(studies, texts, strict=True):
        reading = labeler.read(text)
        mentions += [(study, index, *mention) for index, mention in enumerate(reading.mentions)]
        attributes.append(tuple(reading.attributes))
    named = _columns(("study_id", "mention_index", *_MENTION_COLUMNS), mentions)
    about = _columns(_ATTRIBUTES, attributes)
    about |= {"study_id": studies, "engine_version": [labeler.version] * len(studies)}
    return _table("report_mentions", source, named), _table("report_attributes", source, about)


def _columns(names: tuple[str, ...], rows: list[tuple]) -> dict[str, list]:
    return dict(zip(names, map(list, zip(*rows, strict=True)), strict=True)) if rows else {n: [] for n in names}


def _table(name: str, source: str, columns: dict[str, list]) -> pa.Table:
    rows = len(columns["study_id"])
    return conform(name, pa.table(_typed({**columns, "source": [source] * rows})))


def _typed(columns: dict[str, list]) -> dict[str, pa.Array]:
    """Give empty or all-null columns a type that the contract can cast."""
    return {
        name: pa.array(values, pa.string() if not any(v is not None for v in values) else None)
        for name, values in columns.items()
    }


def _concat(table: str, parts: list[pa.Table]) -> pa.Table:
    return pa.concat_tables(parts) if parts else empty(table)
