"""The drift protocol: ``data_contracts/drift_protocol.yaml`` as typed settings, refused where one cannot be followed.

Not here: computing anything of it.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from radia_pipeline.contracts.location import contracts_root, read_yaml
from radia_pipeline.errors import BadTable
from radia_pipeline.monitoring.baseline import Strictness

PROTOCOL = "drift_protocol"
PIPELINE, TAGS, PIXELS, SCORES, REPORTS = LAYERS = ("pipeline", "tags", "pixels", "scores", "reports")
NONE, NOTE, TICKET, FREEZE, ROLLBACK = ACTIONS = ("none", "note", "ticket", "freeze", "rollback")
"""What may follow, from the mildest on: a remark on the page; somebody looks; no promotion until somebody answers; the
champion before is proposed."""

Days = Annotated[int, Field(ge=1, le=3660)]
Share = Annotated[float, Field(gt=0.0, lt=1.0)]
Effect = Annotated[float, Field(gt=0.0, le=5.0)]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class ReferenceTerms(_Part):
    """Of what the frozen reference is made."""

    days: Days
    least_windows: Annotated[int, Field(ge=4)]


class WindowTerms(_Part):
    """How time is cut."""

    days: Days
    least_patients: Annotated[int, Field(ge=5)]
    most_patients: Annotated[int, Field(ge=5)]


class StatisticsTerms(_Part):
    """How strictly it is judged; effects in standard deviations of one image."""

    floor_sd: Effect
    alarm_share: Share
    evidence_floor_sd: Effect
    windows_between_freezes: Annotated[int, Field(ge=10)]
    discovery_rate: Share

    @property
    def strictness(self) -> Strictness:
        """What the arithmetic needs of it."""
        return Strictness(self.floor_sd, self.alarm_share)


class LayerTerms(_Part):
    """One layer. ``within_windows``: how soon what it should find is found, which ``benchmarks/drift.py`` measures."""

    watched: bool
    action: Literal["note", "ticket", "freeze", "rollback"]
    within_windows: Annotated[int, Field(ge=1)]


class LayersTerms(_Part):
    """The five layers."""

    pipeline: LayerTerms
    tags: LayerTerms
    pixels: LayerTerms
    scores: LayerTerms
    reports: LayerTerms


class SilenceTerms(_Part):
    """When it is an alarm that nothing came."""

    longest_gaps: Annotated[float, Field(ge=1.0)]
    least_days: Days
    most_days: Days


class NewcomerTerms(_Part):
    """When a machine that nobody knows is an alarm."""

    least_images: Annotated[int, Field(ge=1)]


class PerformanceTerms(_Part):
    """What is measured by readings."""

    studies_a_month: Annotated[int, Field(ge=10)]
    least_positives: Annotated[int, Field(ge=2)]
    lower_by: Share


class Protocol(_Part):
    """The whole protocol."""

    kind: Literal["DriftProtocol"]
    version: Annotated[str, Field(pattern=r"^\d+\.\d+\.\d+$")]
    reference: ReferenceTerms
    windows: WindowTerms
    statistics: StatisticsTerms
    layers: LayersTerms
    rollback_days: Days
    silence: SilenceTerms
    newcomers: NewcomerTerms
    performance: PerformanceTerms

    @model_validator(mode="after")
    def _reference_holds_its_windows(self) -> Protocol:
        if self.reference.days < self.reference.least_windows * self.windows.days:
            raise ValueError("reference.days must hold least_windows windows of windows.days")
        if self.windows.most_patients < self.windows.least_patients:
            raise ValueError("windows.most_patients must not be below least_patients")
        return self

    @property
    def watched(self) -> tuple[str, ...]:
        """The layers that are watched."""
        return tuple(name for name in LAYERS if getattr(self.layers, name).watched)

    def most(self, layer: str) -> str:
        """Return the most that a layer may ask for."""
        return getattr(self.layers, layer).action


@cache
def protocol() -> Protocol:
    """Return the protocol that ships.

    Raises BadTable, which names each key that cannot be followed, what it held and what is accepted.
    """
    place = contracts_root() / f"{PROTOCOL}.yaml"
    return parse_protocol(read_yaml(place), place.name)


def protocol_of(lake_root: Path) -> Protocol:
    """Return the protocol of a lake: its own file ``drift_protocol.yaml`` where it has one, else the shipped one."""
    own = lake_root / f"{PROTOCOL}.yaml"
    return parse_protocol(_without_reaches(read_yaml(own)), own.name) if own.exists() else protocol()


def _without_reaches(content: dict[str, Any]) -> dict[str, Any]:
    """Return a lake's own protocol without the shifts for which versions 1 had limits of their own: a scan has one."""
    statistics = content.get("statistics")
    if not isinstance(statistics, dict):
        return content
    return {**content, "statistics": {name: value for name, value in statistics.items() if name != "reaches_sd"}}


def parse_protocol(content: dict[str, Any], name: str = f"{PROTOCOL}.yaml") -> Protocol:
    """Return a protocol from its mapping; raises as ``protocol`` does."""
    try:
        return Protocol.model_validate(content)
    except ValidationError as error:
        problems = "; ".join(_described(problem) for problem in error.errors()[:6])
        raise BadTable(
            f"{name}: {problems}", accepted=f"keys and values of {PROTOCOL}.schema.json", do="mend the protocol"
        ) from None


def json_schema() -> dict[str, Any]:
    """Return the protocol's JSON schema, which is kept beside it for editors."""
    return Protocol.model_json_schema()


def _described(problem: Mapping[str, Any]) -> str:
    where = ".".join(str(part) for part in problem["loc"]) or "the protocol"
    held = problem.get("input")
    told = f", got {held!r}" if isinstance(held, bool | int | float | str) else ""
    return f"{where}: {problem['msg'].removeprefix('Value error, ')}{told}"
