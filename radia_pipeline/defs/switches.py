"""What a lake does by itself, and whether it is on: the sensors and schedules of its graph, switched from a terminal.

Switching goes through Dagster's own command, so that the page and the terminal agree.
"""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from typing import Any

import dagster as dg
from dagster._core.definitions.run_request import InstigatorType

from radia_pipeline.defs.automated import AUTOMATED
from radia_pipeline.defs.build import build_defs
from radia_pipeline.defs.one_run import instance_of
from radia_pipeline.defs.ui import environment, write_workspace
from radia_pipeline.drawing.text import table
from radia_pipeline.errors import RunFailed, UnknownName
from radia_pipeline.lake.lake import Lake
from radia_pipeline.processes import children

_WEEKDAYS = ("Sundays", "Mondays", "Tuesdays", "Wednesdays", "Thursdays", "Fridays", "Saturdays")
SENSOR, SCHEDULE = "sensor", "schedule"
GRACE_S = 10.0


@dataclass(frozen=True)
class Switch:
    """``kind``: sensor or schedule; ``when``: in words; ``does``, ``costs``: in words; ``is_on_by_default``: so in
    a new lake."""

    name: str
    kind: str
    when: str
    does: str
    costs: str
    is_on_by_default: bool
    is_on: bool


def known(definitions: dg.Definitions) -> list[Switch]:
    """Return the sensors and schedules of a graph as a new lake has them, by kind and name."""
    repository = definitions.get_repository_def()
    found = [
        Switch(
            one.name,
            SENSOR,
            f"looks every {_every(one.minimum_interval_seconds)}",
            *AUTOMATED[one.name],
            is_on := one.default_status == dg.DefaultSensorStatus.RUNNING,
            is_on,
        )
        for one in repository.sensor_defs
    ]
    found += [
        Switch(
            one.name,
            SCHEDULE,
            _when(str(one.cron_schedule)),
            *AUTOMATED[one.name],
            is_on := one.default_status == dg.DefaultScheduleStatus.RUNNING,
            is_on,
        )
        for one in repository.schedule_defs
    ]
    return sorted(found, key=lambda one: (one.kind, one.name))


def _every(seconds: float | None) -> str:
    seconds = seconds or 30
    return f"{seconds:.0f} s" if seconds < 60 else f"{seconds / 60:.0f} min"


def _when(cron: str) -> str:
    """Return a schedule's time in words: daily, weekly or monthly, which ours are."""
    minute, hour, day, _, weekday = cron.split()
    at = f"{int(hour):02d}:{int(minute):02d}"
    if weekday != "*":
        return f"{_WEEKDAYS[int(weekday)]} at {at}"
    return f"daily at {at}" if day == "*" else f"day {day} of the month at {at}"


def switches(lake: Lake) -> list[Switch]:
    """Return them as they are in this lake."""
    with instance_of(lake) as instance:
        kept = {
            (SENSOR if state.instigator_type == InstigatorType.SENSOR else SCHEDULE, state.instigator_name): state
            for state in instance.all_instigator_state()
        }
    found = []
    for one in known(build_defs(lake_root=lake.root)):
        state = kept.get((one.kind, one.name))
        said = None if state is None else state.status.value
        is_on = one.is_on_by_default if said in (None, "DECLARED_IN_CODE") else said == "RUNNING"
        found.append(Switch(**{**vars(one), "is_on": is_on}))
    return found


def switch(lake: Lake, name: str, is_on: bool) -> None:
    """Start or stop one; raises UnknownName, RunFailed where Dagster refuses."""
    by_name = {one.name: one for one in switches(lake)}
    if name not in by_name:
        raise UnknownName(f"There is no automation {name!r}", accepted=", ".join(by_name))
    if by_name[name].is_on == is_on:
        return
    words = (by_name[name].kind, "start" if is_on else "stop", name, "-w", write_workspace(lake))
    pipes: dict[str, Any] = {
        "stdout": subprocess.PIPE,
        "stderr": subprocess.STDOUT,
        "text": True,
        "cwd": lake.history_dir,
    }
    with children.running(children.module("dagster", *words), environment(lake), grace_s=GRACE_S, **pipes) as process:
        said = process.communicate()[0]
    if process.returncode:
        last = said.strip().splitlines()[-1:] or ["no word"]
        raise RunFailed(f"Dagster did not switch {name}: {last[0]}", do="switch it in the page, Automation")


def as_text(found: list[Switch]) -> str:
    """Return them as a table for a terminal."""
    rows = [[one.name, "on" if one.is_on else "off", one.when] for one in found]
    told = "\n".join(f"{one.name}: {one.does} Costs: {one.costs}." for one in found)
    return f"{table(['name', '', 'when'], rows)}\n\n{told}"
