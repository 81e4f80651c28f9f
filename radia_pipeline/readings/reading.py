"""What a reading is: one study, read by one reader in one phase; its choices as tables, its checks, its record.

Here: the form of a reading and what makes one acceptable by itself. Not here: what only the store knows (request keys,
earlier readings of the same study), which is in ``store``; what labels become of it (``in_force``).
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Any

from radia_pipeline.contracts.label_values import NEGATIVE, POSITIVE, UNCERTAIN
from radia_pipeline.contracts.sheets import known_sources
from radia_pipeline.contracts.vocabulary import vocabulary
from radia_pipeline.errors import BadInput, UnknownName
from radia_pipeline.privacy.policy import report_policy_of
from radia_pipeline.privacy.text import breaches

ANSWERS = {"present": POSITIVE, "absent": NEGATIVE, "uncertain": UNCERTAIN}
"""The answers of a reader, as values of labels."""
NOT_ASSESSABLE = ("not_a_chest", "projection", "quality", "incomplete", "devices", "other")
"""Why a study cannot be read at all."""
ROLES = ("reader", "adjudicator", "none")
"""As what a person read; ``none``: where it is not known, of readings made elsewhere."""
ORIGINS = ("person", "simulated")
REVEALING = ("report", "label", "prediction", "map")
"""What ends blindness once it is visible. Earlier images of the patient (``prior``) do not."""
VISIBLE = (*REVEALING, "prior")
SLOW_S = 120.0
"""Active seconds above which a reading is flagged: somebody was called away, or the case is hard."""


@dataclass(frozen=True)
class Phase:
    """``is_blind``: nothing of REVEALING may be visible. ``makes_label``: whether labels may change by it."""

    is_blind: bool
    makes_label: bool
    needs_set: bool = False


BLIND, REREAD, ADJUDICATION, REPEAT, QUEUE, MONITOR, IMPORTED = (
    "blind",
    "reread",
    "adjudication",
    "repeat",
    "queue",
    "monitor",
    "imported",
)
PHASES: Mapping[str, Phase] = {
    BLIND: Phase(is_blind=True, makes_label=True, needs_set=True),
    REREAD: Phase(is_blind=False, makes_label=True),
    ADJUDICATION: Phase(is_blind=True, makes_label=True, needs_set=True),
    REPEAT: Phase(is_blind=True, makes_label=False, needs_set=True),
    QUEUE: Phase(is_blind=False, makes_label=True),
    MONITOR: Phase(is_blind=True, makes_label=False),
    IMPORTED: Phase(is_blind=False, makes_label=True),
}
"""``reread``: after a reveal; ``repeat``: a study that the same reader sees again unawares; ``queue``: a doubtful
label; ``imported``: made elsewhere."""

_KEY = re.compile(r"[0-9a-f]{32}")
_CODE = re.compile(r"[\w.-]{1,64}")
_REQUEST = re.compile(r"[\w.:-]{1,128}")
_SHA256 = re.compile(r"[0-9a-f]{64}")
_DATE_RULE = "date_without_examination"
_SETTING = re.compile(r"[\w.,:/ +×-]{0,64}")
"""What a page says of itself and of what it showed: versions, language, screen, views."""


@dataclass(frozen=True)
class ReadBox:
    """A box in pixels of the stored image. ``is_confirmed``: drawn or accepted by the reader, not merely shown."""

    image_id: str
    class_name: str
    x_px: float
    y_px: float
    width_px: float
    height_px: float
    is_confirmed: bool = True


@dataclass(frozen=True)
class Shown:
    """What was on the screen. ``images``: image id → hash of its pixels; ``visible``: which of VISIBLE, with versions.

    ``windows``: grey windows used, as (centre, width); ``zoom``: the largest; ``is_one_to_one``: 1:1 was reached.
    """

    images: Mapping[str, str] = field(default_factory=dict)
    is_native: bool = False
    windows: tuple[tuple[float, float], ...] = ()
    zoom: float = 1.0
    is_one_to_one: bool = False
    views: tuple[str, ...] = ()
    visible: Mapping[str, str] = field(default_factory=dict)
    app_version: str = ""
    language: str = ""
    screen: str = ""


@dataclass(frozen=True)
class Reading:
    """One reading. ``asked``: the classes; ``answers``: class → value of each, none where the study is
    ``not_assessable``, whose reason that is.

    Times are the server's, ISO 8601 in UTC; ``decided_at`` is set by the store where it is empty. ``supersedes``: the
    sequence of the same reader's earlier reading. ``made_by``, ``made_from``: who brought a reading in, and from what.
    """

    source: str
    study_id: str
    reader: str
    phase: str
    request_key: str
    answers: Mapping[str, int] = field(default_factory=dict)
    asked: tuple[str, ...] = ()
    role: str = "reader"
    set_id: str | None = None
    position: int | None = None
    not_assessable: str | None = None
    boxes: tuple[ReadBox, ...] = ()
    comment: str = ""
    shown: Shown = field(default_factory=Shown)
    opened_at: str = ""
    painted_at: str = ""
    decided_at: str = ""
    active_s: float | None = None
    supersedes: int | None = None
    origin: str = "person"
    made_by: str = ""
    made_from: str = ""
    vocabulary_version: str = ""

    @property
    def is_slow(self) -> bool:
        """Whether it took so long that somebody should ask why."""
        return self.active_s is not None and self.active_s > SLOW_S


def as_record(reading: Reading) -> dict[str, Any]:
    """Return a reading as plain JSON data, as it comes back from a file."""
    return json.loads(json.dumps(asdict(reading)))


def from_record(record: Mapping[str, Any]) -> Reading:
    """Return the reading of a record; raises TypeError or KeyError for what is none."""
    shown = dict(record["shown"])
    shown["windows"] = tuple(tuple(pair) for pair in shown["windows"])
    shown["views"] = tuple(shown["views"])
    boxes = tuple(ReadBox(**box) for box in record["boxes"])
    return Reading(**{**record, "asked": tuple(record["asked"]), "shown": Shown(**shown), "boxes": boxes})


def require_sound(reading: Reading) -> None:
    """Raise BadInput or UnknownName for what no reading may be; a message repeats nothing that was typed freely."""
    _one_of("source", reading.source, known_sources())
    _one_of("phase", reading.phase, PHASES)
    _one_of("role", reading.role, ROLES)
    _one_of("origin", reading.origin, ORIGINS)
    if not _KEY.fullmatch(reading.study_id):
        raise BadInput("A reading of something that is no study", accepted="a study_id of 32 hexadecimal characters")
    for code in (reading.reader, reading.made_by or "nobody"):
        if not _CODE.fullmatch(code):
            raise BadInput("A reader's code that cannot be stored", accepted="1 to 64 letters, digits, '_', '.', '-'")
    if not _CODE.fullmatch(reading.set_id or "none"):
        raise BadInput("A reading set's name that cannot be stored", do="take it from `radia review status`")
    if not _REQUEST.fullmatch(reading.request_key):
        raise BadInput("A reading without a request key", accepted="1 to 128 letters, digits, '_', '.', ':' or '-'")
    for at in (reading.opened_at, reading.painted_at, reading.decided_at):
        if at and not _is_time(at):
            raise BadInput("A time that is none", accepted="ISO 8601, as 2026-01-31T09:30:00+00:00")
    _require_numbers(reading)
    _require_answers(reading)
    _require_phase(reading)
    _require_shown(reading)
    _require_texts(reading)


def _require_numbers(reading: Reading) -> None:
    boxes = (part for box in reading.boxes for part in (box.x_px, box.y_px, box.width_px, box.height_px))
    given = [
        reading.active_s or 0.0,
        reading.shown.zoom,
        *boxes,
        *(part for pair in reading.shown.windows for part in pair),
    ]
    if not all(math.isfinite(one) for one in given):
        raise BadInput("A number that is none", accepted="finite seconds, zoom, windows and boxes")
    if min(reading.active_s or 0.0, reading.position or 0) < 0:
        raise BadInput("Seconds or a position below 0", accepted="0 or more")


def _is_time(text: str) -> bool:
    try:
        datetime.fromisoformat(text)
    except ValueError:
        return False
    return True


def _one_of(what: str, value: str | None, accepted: Iterable[str]) -> None:
    if value is None or value not in accepted:
        raise UnknownName(f"Unknown {what} {value!r}", accepted=", ".join(accepted))


def _require_answers(reading: Reading) -> None:
    classes = vocabulary().classes
    for name in (*reading.asked, *(box.class_name for box in reading.boxes)):
        _one_of("class", name, classes)
    values = set(ANSWERS.values())
    if any(isinstance(value, bool) or value not in values for value in reading.answers.values()):
        raise BadInput("An answer that is none", accepted="1 (present), 0 (absent), -1 (uncertain)")
    is_read = reading.not_assessable is None
    if not reading.asked or set(reading.answers) != (set(reading.asked) if is_read else set()):
        raise BadInput(
            "a reading that does not answer what was asked",
            accepted="an answer for each class asked, or none and the reason why the study is not assessable",
        )
    if not is_read:
        _one_of("reason", reading.not_assessable, NOT_ASSESSABLE)


def _require_phase(reading: Reading) -> None:
    phase = PHASES[reading.phase]
    if phase.is_blind and (seen := sorted(set(reading.shown.visible) & set(REVEALING))):
        raise BadInput(f"A {reading.phase} reading that saw {', '.join(seen)}", do="call it a reread")
    if phase.needs_set and not reading.set_id:
        raise BadInput(f"A {reading.phase} reading outside a reading set", do="name the set with its version")
    if (reading.phase == ADJUDICATION) != (reading.role == "adjudicator"):
        raise BadInput("the adjudication is the adjudicator's, and nothing else is")


def _require_shown(reading: Reading) -> None:
    shown = reading.shown
    for name in shown.visible:
        _one_of("visible thing", name, VISIBLE)
    said = (*shown.visible.values(), *shown.views, shown.app_version, shown.language, shown.screen)
    if not all(_SETTING.fullmatch(one) for one in said):
        raise BadInput("A version, view or setting that is none", accepted="up to 64 letters, digits and . , : / + - ×")
    images = shown.images
    if not all(_KEY.fullmatch(image) and _SHA256.fullmatch(pixels) for image, pixels in images.items()):
        raise BadInput("An image without its id or the hash of its pixels", accepted="image_id: pixel_sha256")
    for box in reading.boxes:
        if not _KEY.fullmatch(box.image_id):
            raise BadInput("A box on something that is no image", accepted="an image_id")
        if min(box.width_px, box.height_px) <= 0:
            raise BadInput("A box without width or height", accepted="more than 0 pixels")


def _require_texts(reading: Reading) -> None:
    policy = report_policy_of(reading.source)
    said: tuple[tuple[str, str | None, set[str]], ...] = (
        ("comment", reading.comment, set()),
        ("source of readings", reading.made_from, {_DATE_RULE}),
    )
    for what, text, excused in said:  # when they were made is asked for
        found = {breach.rule for breach in breaches(text, policy)} - excused if text else set()
        if found:
            do = f"say it without names{' and' if excused else ','} numbers{'' if excused else ' and dates'}"
            raise BadInput(f"A {what} that may name a person ({', '.join(sorted(found))})", do=do)
