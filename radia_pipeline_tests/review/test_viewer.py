"""The viewer's routes: what tables, delivered files and models say of a study, as the page gets it."""

from __future__ import annotations

import base64
import gzip
import json

import numpy as np
import pytest
from jsonschema import Draft202012Validator

from radia_pipeline.contracts.location import contracts_root
from radia_pipeline.dicom import png16
from radia_pipeline.dicom.render import render_native
from radia_pipeline.errors import LakeLocked
from radia_pipeline.evaluation.pool_uses import uses
from radia_pipeline.review import models
from radia_pipeline.review.models import SHOWN
from radia_pipeline.usecases.lake_studies import told_image
from radia_pipeline_tests.review.worlds import PATIENTS, REPORT, SET, Client, served, study
from radia_pipeline_tests.usecases.films import dicom, film

SCHEMA = Draft202012Validator(json.loads((contracts_root() / "answer.schema.json").read_text(encoding="utf-8")))
OPEN = 5


@pytest.fixture
def client(shared) -> Client:
    return Client(shared[1], "viewer")


def image_of(client, number=OPEN, view="PA"):
    images = client.get(f"/page/studies/{study(number)}").json["images"]
    return next(one for one in images if one["view"] == view)


def pixels_of(answer):
    height, width = map(int, answer.headers["x-radia-shape"].split(","))
    count = int(answer.headers["x-radia-table"])
    body = np.frombuffer(gzip.decompress(answer.body) if answer.headers.get("content-encoding") else answer.body, "<u2")
    table, values = body[:count], body[count:].reshape(height, width)
    return table[values] if count else values


def test_a_study_tells_images_prior_label_and_report_with_its_evidence(client):
    told = client.get(f"/page/studies/{study(PATIENTS + OPEN)}").json
    assert told["images"][0]["view"] == "PA"
    assert [(one["study_id"], one["days_before"]) for one in told["priors"]] == [(study(OPEN), 366)]
    assert told["reference"]["Mass"] == {"value": "present", "said": "present", "origin": "table"}
    span = told["report"]["spans"][0]
    assert told["report"]["text"][span["start"] : span["end"]] == "masse"
    assert told["report"]["text"].startswith(f"{REPORT}{PATIENTS + OPEN}")


def test_only_doubts_are_told_of_a_film(client, shared):
    row = dict(shared[0].studies.image(image_of(client)["image_id"])) | {"flags": ["for_processing", "cropped"]}
    flags = told_image(row, has_native=True, is_blind=False)["flags"]
    assert [(one["flag"], bool(one["means"])) for one in flags] == [("cropped", True)]
    assert told_image(row, has_native=True, is_blind=True)["flags"] == []


def test_the_stored_picture_comes_as_it_is_and_the_native_one_as_it_is_rendered(client, shared):
    image = image_of(client)
    row = shared[0].studies.image(image["image_id"])
    stored = pixels_of(client.get(image["pixels"]))
    assert np.array_equal(stored, png16.decode(shared[0].studies.stored_path(row).read_bytes()))
    native = pixels_of(client.get(f"{image['pixels']}?size=native", Accept_Encoding="gzip"))
    assert np.array_equal(native, render_native(shared[0].studies.native_path(row)))


def test_a_delivered_file_that_is_another_one_now_is_not_shown(lake):
    with served(lake) as (server, port):
        client = Client(port, "viewer")
        image = image_of(client)
        path = server.studies.native_path(server.studies.image(image["image_id"]))
        path.write_bytes(dicom(film(3), 3, PatientName="NAME^SECRET"))
        answer = client.get(f"{image['pixels']}?size=native")
        assert (answer.status, answer.code) == (409, "no_native")
        assert len(server.access.entries()) == 1
        entry = server.access.entries()[0]
        assert (entry.reader, entry.study_id) == ("viewer", study(OPEN))


def test_an_answer_is_what_predict_gives_and_boxes_go_by_image(client):
    answer = client.get(f"/page/studies/{study(OPEN)}/answer").json
    assert [error.message for error in SCHEMA.iter_errors(answer)] == []
    assert answer["studies"][0]["files"][0]["file"] == image_of(client)["image_id"]


def test_maps_of_all_classes_come_at_once(client):
    told = client.get(image_of(client)["maps"]).json
    height, width = told["shape"]
    assert len(told["maps"]) == 17
    for one in told["maps"]:
        level = np.frombuffer(base64.b64decode(one["data"]), np.uint8)
        assert (level.size, level.max()) == (height * width, 255)


def test_a_shown_test_study_is_an_entry_in_the_ledger_once(lake):
    splits = lake.read("splits").to_pylist()
    lake.write("splits", [{**row, "pool": "test", "fold": None} for row in splits])
    with served(lake) as (_, port):
        client = Client(port, "viewer")
        for _ in range(2):
            assert client.get(f"/page/studies/{study(OPEN)}/answer").status == 200
        client.get(image_of(client)["maps"])
    assert [(use.purpose, use.studies, use.who, use.shows_figures) for use in uses(lake)] == [
        (SHOWN, 1, "viewer", False)
    ]


def test_what_cannot_be_noted_is_not_shown_however_often_it_is_asked_for(lake, monkeypatch):
    splits = lake.read("splits").to_pylist()
    lake.write("splits", [{**row, "pool": "test", "fold": None} for row in splits])

    def is_locked(*_, **__):
        raise LakeLocked("the ledger is held")

    with served(lake) as (_, port):
        client, path = Client(port, "viewer"), f"/page/studies/{study(OPEN)}/answer"
        with monkeypatch.context() as held:
            held.setattr(models, "note_use", is_locked)
            assert [client.get(path).code for _ in range(2)] == ["busy", "busy"]
        assert uses(lake) == []
        assert client.get(path).status == 200
    assert len(uses(lake)) == 1


def test_what_is_to_be_read_blind_and_its_prior_are_closed(client):
    listed = client.get("/page/studies?limit=500").json["studies"]
    withheld = {one["study_id"] for one in listed if one["is_withheld"]}
    assert withheld == {study(n) for n in (20, 21, 22, 0, 1, 2)}
    for path in (f"/page/studies/{study(20)}", f"/page/studies/{study(0)}", f"/page/studies/{study(20)}/answer"):
        answer = client.get(path)
        assert (answer.status, answer.code) == (409, "blind")
    shown = client.get("/page/studies?limit=500&withheld=false").json
    assert (shown["total"], {one["study_id"] for one in shown["studies"]} & withheld) == (34, set())
    assert client.get("/page/studies?label=Mass").json["total"] == 34
    assert SET in client.get("/page/lists").body.decode()


def test_called_wrong_is_a_reading_of_phase_queue_once_for_each_key(lake):
    with served(lake) as (server, port):
        client, path = Client(port, "viewer"), f"/page/studies/{study(OPEN)}/wrong"
        body = {"request_key": "k" * 20, "class": "Mass", "answer": "absent", "about": "label", "comment": "rien"}
        first, again = client.post(path, body), client.post(path, body)
        assert (first.status, again.status, first.json) == (201, 200, again.json)
        assert client.post(path, {**body, "answer": "present"}).code == "other_content"
        assert client.post(path, {**body, "request_key": "n" * 20, "comment": "Mme Tremblay"}).code == "not_sound"
        line = client.get(f"/page/studies/{study(OPEN)}").json["wrong"]
        assert [(one["class"], one["answer"]) for one in line] == [("Mass", "absent")]
        assert client.post("/page/readings/undo", {"sequence": first.json["sequence"]}).status == 200
        assert client.get(f"/page/studies/{study(OPEN)}").json["wrong"] == []
        assert server.room.lists("viewer")[0]["list_id"] == SET


def test_a_dropped_film_is_answered_and_shown_from_memory_to_its_owner_alone(shared):
    client, data = Client(shared[1], "viewer"), dicom(film(3), 3, syntax="")
    told = client.post("/page/uploads?ocr=off", data, Content_Type="application/dicom").json
    assert [error.message for error in SCHEMA.iter_errors(told["answer"])] == []
    assert told["images"], told["answer"]["studies"]
    image = told["images"][0]
    assert pixels_of(client.get(f"{image['pixels']}?size=native")).shape == tuple(image["native"])
    assert pixels_of(client.get(image["pixels"])).shape == tuple(image["stored"])
    assert client.get(image["maps"]).status == 200
    assert Client(shared[1], "other").get(image["pixels"]).code == "gone"
    refused = client.post(
        "/page/uploads?ocr=off", dicom(film(4), 4, PatientName="NAME^SECRET"), Content_Type="application/dicom"
    )
    assert (refused.status, refused.json["images"]) == (200, [])
    assert b"SECRET" not in refused.body
    kept = client.post(
        "/page/uploads?identified=true", dicom(film(4), 4, PatientName="NAME^SECRET"), Content_Type="application/dicom"
    )
    assert (len(kept.json["images"]), b"SECRET" in kept.body) == (1, False)
