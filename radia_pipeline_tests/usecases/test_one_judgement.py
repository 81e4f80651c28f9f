"""The same files have the same fate by an ingest and by a prediction: hostile ones, broken ones and sound ones."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFont

from radia_pipeline.dicom.doubts import DOUBTS
from radia_pipeline.dicom.ingest import ingest_images
from radia_pipeline.dicom.settlements import settle
from radia_pipeline.lake.keys import Pseudonymizer
from radia_pipeline.lake.lake import Lake
from radia_pipeline.phantom.dicom_files import SYNTAXES
from radia_pipeline.usecases.predict import predict
from radia_pipeline_tests.dicom import files
from radia_pipeline_tests.privacy import hostile, hostile_codestreams
from radia_pipeline_tests.usecases.films import dicom, film

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]
KEYS = Pseudonymizer(b"0123456789abcdef0123456789abcdef")
SECONDARY = "1.2.840.10008.5.1.4.1.1.7"
ASKED_OF_MODELS = {"unfamiliar", "mirrored", "no_frontal", "lateral_alone"}
"""Doubts that no ingest has: it asks no model and knows no study."""
OF_PREDICTIONS = ASKED_OF_MODELS | {"blank_part", "too_small", "too_narrow"}


def made(image: np.ndarray, number: int, **tags: object) -> bytes:
    """Return a file of 12 bits with its tags set."""
    return files.to_bytes(files.dataset(image >> 4, number=number, **tags))


def with_print(image: np.ndarray, text: str) -> np.ndarray:
    mask = Image.new("L", image.shape[::-1], 0)
    ImageDraw.Draw(mask).text((8, 8), text, fill=255, font=ImageFont.load_default(22))
    return np.maximum(image // 2, np.asarray(mask, np.uint16) * 257)


def large(seed: int) -> np.ndarray:
    return film(seed, size_px=320)


SOUND: dict[str, Callable[[int], bytes]] = {
    **{f"syntax {syntax}": lambda n, syntax=syntax: dicom(film(n), n, syntax=syntax) for syntax in SYNTAXES},
    "lateral": lambda n: dicom(film(n, "LATERAL"), n, view="LATERAL"),
    "lateral by its pixels": lambda n: dicom(film(n, "LATERAL"), n, view=None),
    "frontal without a view": lambda n: dicom(film(n), n, view=None),
    "for processing": lambda n: made(film(n), n, PresentationIntentType="FOR PROCESSING"),
    "secondary capture": lambda n: made(film(n), n, SOPClassUID=SECONDARY),
    "an old person's": lambda n: made(film(n), n, PatientAge="095Y"),
    "inverted": lambda n: made(65535 - film(n), n),
    "on its side": lambda n: made(np.ascontiguousarray(np.rot90(film(n))), n),
    "of one grey": lambda n: made(np.full((200, 200), 9000, np.uint16), n),
    "with half of it empty": lambda n: made(np.where(np.arange(160)[:, None] < 80, 0, film(n)).astype(np.uint16), n),
    "initials": lambda n: made(with_print(large(n), "KT"), n),
}
BAD: dict[str, Callable[[int], bytes]] = {
    "empty": lambda n: b"",
    "words": lambda n: b"nothing but words",
    "truncated": lambda n: dicom(film(n), n)[:9000],
    "no patient": lambda n: made(film(n), n, PatientID=""),
    "no study": lambda n: made(film(n), n, StudyInstanceUID=""),
    "another examination": lambda n: made(film(n), n, Modality="MR"),
    "print": lambda n: made(with_print(large(n), "TREMBLAY MARIE"), n),
    "print that a person has called clean": lambda n: made(with_print(large(n), "PICCLINE"), n),
}
HOSTILE = {**hostile.CONTAINER, **hostile.HEADER, **hostile_codestreams.CODESTREAM}


@pytest.fixture(scope="module")
def delivery(tmp_path_factory) -> files.Delivery:
    here = files.Delivery(tmp_path_factory.mktemp("delivery"))
    for number, (name, make) in enumerate((SOUND | BAD).items(), 100):
        here.put(f"{number:03d} {name}", make(number))
    for number, make in enumerate(HOSTILE.values()):
        here.put(f"hostile {number:03d}", make())
    return here


@pytest.fixture(scope="module")
def lake(film_lake: Lake, delivery: files.Delivery) -> Lake:
    """Return a lake that holds the delivery, with one person's word on one file."""
    ingest_images(delivery, delivery.root, film_lake, KEYS, workers=2)
    (path,) = (row["delivered_path"] for row in quarantined(film_lake) if "called clean" in row["delivered_path"])
    settle(film_lake, "ccsmtl", path, verdict="clean", by="D. Steward", reason="marque d'un cathéter")
    ingest_images(delivery, delivery.root, film_lake, KEYS, workers=2)
    return film_lake


def quarantined(lake: Lake) -> list[dict]:
    return lake.read("quarantine", "ccsmtl").to_pylist()


def of_ingest(lake: Lake) -> dict[str, tuple]:
    """Return each delivered file's reason and detail, or its view and the flags that are doubts."""
    refused = {row["delivered_path"]: (row["reason"], row["detail"]) for row in quarantined(lake)}
    rows = lake.read("images", "ccsmtl").to_pylist()
    return refused | {
        row["delivered_path"]: (row["view"], row["view_origin"], {*row["flags"]} & {*DOUBTS}) for row in rows
    }


def of_prediction(lake: Lake, root: Path) -> dict[str, tuple]:
    """Return the same of a prediction, but for the doubts that only a prediction has."""
    found = {}
    for study in predict(root, lake, ocr="auto", workers=2)["studies"]:
        for file in study["files"]:
            name = Path(file["file"]).relative_to(root).as_posix()
            if file["reason"] is not None and file["reason"] not in DOUBTS:
                found[name] = (file["reason"], file["detail"])
                continue
            doubts = {flag["flag"] for flag in file["flags"]} | ({file["reason"]} - {None})
            found[name] = (file["view"], file["view_origin"], doubts - OF_PREDICTIONS)
    return found


def test_an_ingest_and_a_prediction_come_to_the_same(lake, delivery):
    ingested, predicted = of_ingest(lake), of_prediction(lake, delivery.root)
    assert set(ingested) == set(predicted)
    assert {name: (ingested[name], predicted[name]) for name in ingested if ingested[name] != predicted[name]} == {}
    refused = {name for name, said in ingested.items() if len(said) == 2}
    assert {name for name in ingested if "hostile" in name} <= refused
    assert len(ingested) - len(refused) == len(SOUND) + 1  # and the one that a person has let in


def test_without_the_search_for_print_a_capture_is_flagged_by_both(lake, delivery, tmp_path):
    path = next(path for path in (delivery.root / "dicom").iterdir() if "secondary" in path.name)
    here = files.Delivery(tmp_path / "delivery")
    here.put("one", path.read_bytes())
    other = Lake.open(tmp_path / "other")
    ingest_images(here, here.root, other, KEYS, workers=1, ocr="off")
    (row,) = other.read("images", "ccsmtl").to_pylist()
    (study,) = predict(here.root, lake, ocr="off", workers=1)["studies"]
    assert "unread_capture" in row["flags"]
    assert "unread_capture" in [flag["flag"] for flag in study["files"][0]["flags"]]
