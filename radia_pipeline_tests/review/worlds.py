"""A lake that can be looked at and read: phantom films with models, delivered files, reports, labels, a reading set.

What may not reach a blind reader is planted as words and numbers that stand nowhere else.
"""

from __future__ import annotations

import hashlib
import http.client
import json
import secrets
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa
import uvicorn

from radia_pipeline.contracts.vocabulary import vocabulary
from radia_pipeline.labels.origins import ORIGIN_CODE
from radia_pipeline.labels.table import long_table
from radia_pipeline.lake.lake import Lake
from radia_pipeline.lake.settings import change_settings
from radia_pipeline.phantom.dicom_files import JPEG_2000
from radia_pipeline.readings.lists import answerable
from radia_pipeline.review.app import build_app
from radia_pipeline.review.server import Server
from radia_pipeline.review.settings import Settings
from radia_pipeline.servers.web import HOST, configured, listening
from radia_pipeline_tests.evaluation.worlds import key
from radia_pipeline_tests.readings.worlds import with_set
from radia_pipeline_tests.usecases.films import SOURCE, dicom, film, make_lake

STUDIES = 40
PATIENTS = 20
SET = "test-00c0ffee"
REPORT = "CANARYREPORT"
"""Stands in every report; a study's number follows."""


def study(number: int) -> str:
    """Return the key of a study; that of ``number + PATIENTS`` is a later one of the same patient."""
    return key("s", number)


def make_world(root: Path, in_set: tuple[int, ...] = (20, 21, 22)) -> Lake:
    """Return a lake of STUDIES studies with everything that a page shows; ``in_set``: studies of the set SET."""
    lake, delivered = make_lake(root / "lake", STUDIES), root / "sources"
    change_settings(lake.root, sources_root=str(delivered))
    rows = [_image_row(lake, delivered, row) for row in lake.read("manifest").to_pylist()]
    lake.write("images", rows, SOURCE)
    put_opinions(lake)
    pools = {row["patient_key"]: "train" for row in rows}
    fixed = {"source": SOURCE, "fold": 0, "reason": "hash", "excluded": None}
    lake.write("splits", [{**fixed, "patient_key": one, "group_id": one, "pool": pool} for one, pool in pools.items()])
    if in_set:
        with_set(lake, *map(study, in_set), set_id=SET)
    return lake


def _image_row(lake: Lake, delivered: Path, row: Mapping[str, Any]) -> dict[str, Any]:
    number = next(one for one in range(STUDIES) if study(one) == row["study_id"])
    data = dicom(film(number, row["view"]), number, view=row["view"], syntax=JPEG_2000 if number % 2 else "")
    name = f"{row['image_id']}.dcm"
    path = delivered / SOURCE / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    stored = (lake.root / row["path"]).read_bytes()
    return {
        "source": SOURCE,
        "image_id": row["image_id"],
        "study_id": row["study_id"],
        "path": row["path"],
        "patient_key": key("p", number % PATIENTS),
        "pixel_sha256": hashlib.sha256(stored).hexdigest(),
        "file_sha256": hashlib.sha256(data).hexdigest(),
        "delivered_path": name,
        "view": row["view"],
        "view_origin": "header",
        "width_px": row["width_px"],
        "height_px": row["height_px"],
        "original_width_px": row["width_px"],
        "original_height_px": row["height_px"],
        "bits_stored": 12,
        "photometric": "MONOCHROME2",
        "pixel_spacing_row_mm": 0.2,
        "pixel_spacing_col_mm": 0.2,
        "patient_age_years": 50.0,
        "patient_sex": "F",
        "flags": [],
        "manufacturer": "CANARYMAKER",
        "study_date": f"20{20 + number // PATIENTS}0202",
    }


def put_opinions(lake: Lake, *, is_bare: bool = False) -> None:
    """Publish what others say of each study, labels and reports; ``is_bare``: nothing of it, other values, no words."""
    words, ids = vocabulary(), sorted(map(study, range(STUDIES)))
    import numpy as np

    values = np.full((STUDIES, len(words.classes)), 0, dtype=np.int8)
    values[:, words.index("Mass")] = 0 if is_bare else 1
    origin = np.full(values.shape, ORIGIN_CODE["table"], dtype=np.int8)
    patients = {study(number): key("p", number % PATIENTS) for number in range(STUDIES)}
    keys = pa.array([patients[one] for one in ids], pa.string())
    lake.write("labels", long_table(SOURCE, pa.array(ids, pa.string()), keys, values, values, origin), SOURCE)
    told = [] if is_bare else [(number, f"{REPORT}{number}: masse du lobe.") for number in range(STUDIES)]
    lake.write(
        "reports",
        [
            {
                "source": SOURCE,
                "study_id": study(number),
                "patient_key": patients[study(number)],
                "report_text": text,
                "text_sha256": hashlib.sha256(text.encode()).hexdigest(),
                "text_count": 1,
            }
            for number, text in told
        ],
        SOURCE,
    )
    lake.write(
        "report_mentions",
        [
            {
                "source": SOURCE,
                "study_id": study(number),
                "mention_index": 0,
                "concept": "mass",
                "class": "Mass",
                "status": 1,
                "section": "findings",
                "sentence": text,
                "span_start": text.index("masse"),
                "span_end": text.index("masse") + 5,
                "rule_id": "affirmed",
            }
            for number, text in told
        ],
        SOURCE,
    )


@dataclass
class Answer:
    """What a server answered."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> dict[str, Any]:
        """The body as data."""
        return json.loads(self.body)

    @property
    def code(self) -> str:
        """The code of a problem."""
        return self.json["code"]


@dataclass
class Client:
    """A client of one port, signed in as ``user`` where one is named; keeps every byte that came."""

    port: int
    user: str | None = None
    heard: list[tuple[str, bytes]] = field(default_factory=list)
    timeout_s: float = 60.0

    def ask(self, method: str, path: str, body: Any = None, **headers: str) -> Answer:
        """Send a request: bytes as they are, other bodies as JSON; names of headers with ``_`` for ``-``."""
        told = {name.replace("_", "-"): value for name, value in headers.items()}
        if self.user is not None:
            told["X-Remote-User"] = self.user
        if body is not None and not isinstance(body, bytes | bytearray):
            body = json.dumps(body).encode()
            told.setdefault("Content-Type", "application/json")
        connection = http.client.HTTPConnection(HOST, self.port, timeout=self.timeout_s)
        try:
            connection.request(method, path, body=body, headers=told)
            response = connection.getresponse()
            answer = Answer(response.status, {k.lower(): v for k, v in response.getheaders()}, response.read())
        finally:
            connection.close()
        self.heard.append((f"{method} {path}", repr(sorted(answer.headers.items())).encode() + answer.body))
        return answer

    def get(self, path: str, **headers: str) -> Answer:
        """Send a GET."""
        return self.ask("GET", path, **headers)

    def post(self, path: str, body: Any, **headers: str) -> Answer:
        """Send a POST."""
        return self.ask("POST", path, body, **headers)


@contextmanager
def served(lake: Lake, *, waits: bool = True, **changes: Any) -> Iterator[tuple[Server, int]]:
    """Run a server of a lake in this process; users are signed in by a proxy on this machine."""
    with listening(0) as end:
        settings = Settings(port=end.getsockname()[1], **{"proxy": HOST, **changes})
        server = Server(lake, settings)
        running = uvicorn.Server(configured(build_app(server), settings.port))
        thread = threading.Thread(target=running.run, kwargs={"sockets": [end]}, daemon=True)
        thread.start()
        try:
            if waits:
                wait_until_ready(settings.port)
            yield server, settings.port
        finally:
            running.should_exit = True
            thread.join(30)


def wait_until_ready(port: int, within_s: float = 120.0) -> None:
    """Wait until a server says that it is ready."""
    client, deadline = Client(port, "nobody"), time.monotonic() + within_s
    while time.monotonic() < deadline:
        try:
            if client.get("/health/ready").status == 200:
                return
        except OSError:
            pass
        time.sleep(0.05)
    raise TimeoutError("the server does not get ready")


def answered(turn: Mapping[str, Any], *, present: tuple[str, ...] = (), **changes: Any) -> dict[str, Any]:
    """Return the body that answers a turn, everything absent but what is ``present``."""
    return {
        "request_key": secrets.token_hex(16),
        "list_id": turn["list_id"],
        "position": turn["position"],
        "role": turn["role"],
        "study_id": turn["study_id"],
        "answers": {name: "present" if name in present else "absent" for name in turn["asked"]},
        "shown": {"images": [one["image_id"] for one in turn["images"]], "language": "fr", "screen": "1280x800"},
        "active_s": 3.5,
        **changes,
    }


ASKED = answerable(vocabulary().classes)
