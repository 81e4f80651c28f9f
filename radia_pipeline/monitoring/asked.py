"""What a person asks for beside reports: a reference frozen anew, or where there is none, and films looked at ahead.

Not here: what a report does of this by itself (``report``).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, timedelta

from radia_pipeline.errors import BadInput
from radia_pipeline.lake.lake import Lake
from radia_pipeline.monitoring.acknowledgements import FROZEN, Act, note
from radia_pipeline.monitoring.arrived import arrived, watched_sources
from radia_pipeline.monitoring.observed import observe, view_of
from radia_pipeline.monitoring.protocol import protocol_of
from radia_pipeline.monitoring.readouts import TABLE as READOUTS
from radia_pipeline.monitoring.readouts import models_in_use
from radia_pipeline.monitoring.reference import TABLE as REFERENCE
from radia_pipeline.monitoring.reference import current, freeze, read_reference, span_until


@dataclass(frozen=True)
class FrozenResult:
    """Counts for metadata. ``frozen``: sources that have a reference now and had none, or another."""

    streams: int
    frozen: list[str] = field(default_factory=list)


def freeze_missing(lake: Lake, day: date) -> FrozenResult:
    """Freeze the reference of every source that has none and enough windows."""
    terms, ready = protocol_of(lake.root), models_in_use(lake)
    frozen = []
    for source in watched_sources(lake):
        before = lake.version(REFERENCE) if lake.exists(REFERENCE) else None
        current(lake, source, arrived(lake, source).until(day), day, view_of(lake, source, terms, ready))
        if lake.exists(REFERENCE) and lake.version(REFERENCE) != before:
            frozen.append(source)
    if not lake.exists(REFERENCE):
        lake.write(REFERENCE, [])
    return FrozenResult(lake.read(REFERENCE, columns=["stream"]).num_rows, frozen)


def freeze_anew(lake: Lake, source: str, day: date, *, by: str, reason: str) -> FrozenResult:
    """Freeze a source's reference on what came until a day, as a person decides; noted with name and reason.

    Raises BadInput without them or with too few windows, and nothing is changed.
    """
    terms, ready = protocol_of(lake.root), models_in_use(lake)
    when = arrived(lake, source).until(day)
    span = span_until(when, day, terms)
    if not by.strip() or not reason.strip():
        raise BadInput("A new reference needs a name and a reason", accepted="--by WHO and --reason WHY")
    view = view_of(lake, source, terms, ready)
    if span is None or freeze(lake, source, when, span, view) is None:
        least = terms.reference.least_windows
        raise BadInput(f"{source} has too few windows for a reference", accepted=f"{least} windows of enough patients")
    note(lake, Act(FROZEN, by, reason, day.isoformat(), source))
    return FrozenResult(lake.read(REFERENCE, columns=["stream"]).num_rows, [source])


def look_ahead(lake: Lake, source: str, day: date) -> dict[str, int]:
    """Read out the films of a source's reference and windows until a day; returns how many stand in the table."""
    terms, ready = protocol_of(lake.root), models_in_use(lake)
    when = arrived(lake, source).until(day)
    reference = read_reference(lake, source)
    span = reference.span if reference else span_until(when, day, terms)
    if span is not None:
        spans = [span, (span[1] + timedelta(days=1), day)]
        observe(lake, source, when, spans, view_of(lake, source, terms, ready))
    if not lake.exists(READOUTS, source):
        lake.write(READOUTS, [], source)
    return {"films": lake.read(READOUTS, source, ["image_id"]).num_rows}
