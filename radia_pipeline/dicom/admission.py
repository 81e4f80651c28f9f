"""May these bytes come in? The one judgement before any pixel is decoded: ingest, audit and predict ask here.

Belongs here: the order of questions (kind, container, identity, kind of examination, facts of the pixels) and what a
declared intake leaves out. Does not belong here: the rules (``privacy.header``), the picture (``render``), print in it.
"""

from __future__ import annotations

from dataclasses import dataclass

from radia_pipeline.dicom import facts as header_facts
from radia_pipeline.dicom.facts import PixelFacts
from radia_pipeline.errors import Refusal
from radia_pipeline.privacy import container as dicom_container
from radia_pipeline.privacy import reasons
from radia_pipeline.privacy.container import Container
from radia_pipeline.privacy.header import audit
from radia_pipeline.privacy.limits import DEFAULT_LIMITS, Limits
from radia_pipeline.privacy.policy import Policy

_FINDINGS_NAMED = 3


@dataclass(frozen=True)
class Intake:
    """What a caller takes in. ``is_identified``: files straight from a PACS, whose headers name the patient; the caller
    keeps and echoes nothing of them. ``takes_rasters``: PNG and JPEG too. ``is_listed``: the dataset's own table names
    the file."""

    policy: Policy
    is_identified: bool = False
    takes_rasters: bool = False
    is_listed: bool = False
    limits: Limits = DEFAULT_LIMITS


@dataclass(frozen=True)
class Admitted:
    """What may be decoded. ``kind``: dicom, png or jpeg; of the latter two nothing else is known."""

    kind: str
    parsed: Container | None = None
    facts: PixelFacts | None = None
    is_secondary: bool = False


def admit(data: bytes, intake: Intake) -> Admitted:
    """Judge a file's bytes, from a path or from memory alike; raises Refusal with a reason of the closed list."""
    kind = dicom_container.sniff(data)
    if kind == "empty":
        raise Refusal(reasons.EMPTY_FILE)
    if kind == "headerless":
        raise Refusal(reasons.HEADERLESS_DICOM, "a data set without preamble and prefix")
    if kind != "dicom":
        if kind not in ("png", "jpeg") or not intake.takes_rasters:
            raise Refusal(reasons.NOT_AN_IMAGE, "not an image of the kind that this source delivers")
        return Admitted(kind)
    parsed = dicom_container.parse(data, intake.limits)
    if not intake.is_identified:
        _require_no_identity(parsed, intake.policy)
    is_secondary = header_facts.check_radiograph(parsed, is_listed=intake.is_listed)
    return Admitted(kind, parsed, header_facts.pixel_facts(parsed, intake.limits), is_secondary)


def _require_no_identity(parsed: Container, policy: Policy) -> None:
    findings = audit(parsed, policy)
    if findings:
        rest = len(findings) - _FINDINGS_NAMED
        named = "; ".join(str(finding) for finding in findings[:_FINDINGS_NAMED])
        raise Refusal(reasons.IDENTITY_IN_HEADER, named + (f" and {rest} more" if rest > 0 else ""))
