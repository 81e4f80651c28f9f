"""The API: answers as predict gives them, refusals with a reason, and nothing of what is sent on a disk or in words."""

from __future__ import annotations

import json
import socket
import threading
import time
import zlib
from email import message_from_bytes
from email.policy import HTTP
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from jsonschema import Draft202012Validator
from PIL import Image
from pydicom import dcmread

from radia_pipeline.contracts.location import contracts_root
from radia_pipeline.dicom import png16
from radia_pipeline.errors import BadInput
from radia_pipeline.monitoring.answered import answers_by_day
from radia_pipeline.phantom.dicom_files import DEFLATED
from radia_pipeline.review.bodies import parts_of
from radia_pipeline.review.problems import Problem
from radia_pipeline.usecases.predict import predict
from radia_pipeline_tests.review.worlds import HOST, Client, served
from radia_pipeline_tests.usecases.films import classes_of, dicom, film

SCHEMA = Draft202012Validator(json.loads((contracts_root() / "answer.schema.json").read_text(encoding="utf-8")))
PREDICT = "/api/v1/predict?ocr=off"
FILM = "application/dicom"


@pytest.fixture
def client(shared) -> Client:
    return Client(shared[1], "program")


def related(*parts: bytes, boundary: str = "b0undary", name: str = "film.dcm") -> tuple[bytes, str]:
    """Return a multipart/related body and its type."""
    head = (
        f'--{boundary}\r\nContent-Type: {FILM}\r\nContent-Disposition: attachment; filename="{name}"\r\n\r\n'.encode()
    )
    body = b"".join(head + part + b"\r\n" for part in parts) + f"--{boundary}--\r\n".encode()
    return body, f'multipart/related; type="{FILM}"; boundary={boundary}'


def pair() -> tuple[bytes, bytes]:
    return dicom(film(30), 30, study=1), dicom(film(30, "LATERAL"), 31, view="LATERAL", study=1)


def sound(answer) -> dict:
    assert answer.status == 200, answer.body
    assert [error.message for error in SCHEMA.iter_errors(answer.json)] == []
    return answer.json


def test_a_film_is_answered_as_predict_answers_it(client, shared, tmp_path):
    data = dicom(film(3), 3)
    (tmp_path / "film.dcm").write_bytes(data)
    told = sound(client.post(PREDICT, data, Content_Type=FILM))
    same = predict([tmp_path / "film.dcm"], shared[0].lake, ocr="off")
    assert classes_of(told["studies"][0]) == classes_of(same["studies"][0])
    assert told["studies"][0]["files"][0]["file"] == "image 1"
    raster = sound(client.post(PREDICT, png16.encode(film(3)), Content_Type="image/png"))
    assert raster["studies"][0]["status"] == "answered"


def test_several_views_come_as_one_body(client):
    body, kind = related(*pair())
    told = sound(client.post(PREDICT, body, Content_Type=kind))
    assert [study["views"] for study in told["studies"]] == [["PA", "LATERAL"]]


def test_maps_come_as_pictures(client):
    told = sound(client.post(f"{PREDICT}&maps=png", dicom(film(3), 3), Content_Type=FILM))
    for one in told["studies"][0]["maps"]:
        assert one["picture"].startswith("data:image/png;base64,")
    assert (len(told["studies"][0]["maps"]) > 0) == bool(told["studies"][0]["called"])


def test_an_identified_file_is_answered_and_nothing_of_it_is_echoed(client):
    data = dicom(film(6), 6, PatientName="NAME^SECRET")
    refused = client.post(PREDICT, data, Content_Type=FILM)
    assert (refused.status, refused.code) == (422, "refused")
    assert [error.message for error in SCHEMA.iter_errors(refused.json["answer"])] == []
    assert refused.json["answer"]["studies"][0]["files"][0]["reason"] == "identity_in_header"
    told = client.post("/api/v1/predict?intake=identified", data, Content_Type=FILM)
    sound(told)
    assert b"SECRET" not in refused.body + told.body


def taken_apart(answer) -> dict[str, bytes]:
    """Return the parts of a multipart answer by Content-ID."""
    message = message_from_bytes(
        f"Content-Type: {answer.headers['content-type']}\r\n\r\n".encode() + answer.body, policy=HTTP
    )
    return {part["Content-ID"].strip("<>"): part.get_payload(decode=True) for part in message.iter_parts()}


def test_objects_come_in_parts_of_their_own_and_name_the_patient_there_alone(client):
    front = dicom(film(30), 30, study=1, PatientName="NAME^SECRET", PatientID="SECRET")
    side = dicom(film(30, "LATERAL"), 31, view="LATERAL", study=1, PatientName="NAME^SECRET", PatientID="SECRET")
    body, kind = related(front, side)
    query = "/api/v1/predict?intake=identified&dicom=sr,gsps"
    reply, again = (client.post(query, body, Content_Type=kind) for _ in range(2))
    assert (reply.status, reply.headers["content-type"].split(";")[0]) == (200, "multipart/related")
    parts = taken_apart(reply)
    told = json.loads(parts["answer"])
    assert [error.message for error in SCHEMA.iter_errors(told)] == []
    named = [one["file"].removeprefix("cid:") for one in told["studies"][0]["objects"]]
    assert [one["kind"] for one in told["studies"][0]["objects"]] == ["sr", "gsps", "gsps"]
    assert ["answer", *named] == list(parts)
    assert b"SECRET" not in parts["answer"] and all(b"SECRET" in parts[name] for name in named)
    uids = [{dcmread(BytesIO(one[name])).SOPInstanceUID for name in named} for one in (parts, taken_apart(again))]
    assert uids[0] == uids[1] and len(uids[0]) == 3
    assert b"SECRET" not in client.post(query, b"SECRET" * 99, Content_Type=FILM).body
    assert client.post(f"{PREDICT}&dicom=seg", front, Content_Type=FILM).status == 400


def test_a_refused_study_is_a_problem_with_objects_and_one_that_was_not_let_in_one_without(client):
    query = "/api/v1/predict?intake=identified&dicom=sr,gsps"
    film_ = dicom(65535 - film(30), 30, PatientName="NAME^SECRET", PatientID="SECRET")
    reply = client.post(query, film_, Content_Type=FILM)
    assert (reply.status, reply.headers["content-type"].split(";")[0]) == (422, "multipart/related")
    parts = taken_apart(reply)
    told = json.loads(parts["answer"])
    assert [error.message for error in SCHEMA.iter_errors(told["answer"])] == []
    (study,) = told["answer"]["studies"]
    assert (told["code"], study["status"], study["files"][0]["reason"]) == ("refused", "refused", "inverted")
    assert [one["kind"] for one in study["objects"]] == ["sr", "gsps"] and len(parts) == 3
    assert b"SECRET" not in parts["answer"]
    assert all(b"SECRET" in content for name, content in parts.items() if name != "answer")
    for bad in (film_[:9000], b"SECRET" * 99):
        lost = client.post(query, bad, Content_Type=FILM)
        assert (lost.status, lost.code) == (422, "refused") and b"SECRET" not in lost.body
    judged = client.post(f"{PREDICT}&dicom=sr", film_, Content_Type=FILM)
    assert (judged.code, judged.json["answer"]["studies"][0]["objects"]) == ("refused", [])


def test_the_server_says_who_answers_and_documents_itself(client):
    model = client.get("/api/v1/model").json
    assert model["model"]["members"].keys() == {"one", "two"}
    assert sum(one["is_known"] for one in model["classes"]) > 0
    schema = client.get("/openapi.json").json
    assert set(schema["paths"]) == {"/api/v1/predict", "/api/v1/model", "/health/live", "/health/ready"}
    page = client.get("/api").body.decode()
    assert all(path in page for path in schema["paths"])


def bomb() -> bytes:
    """A deflated DICOM data set of a few hundred kilobytes that becomes 300 MiB."""
    whole = dicom(film(3), 3, syntax=str(DEFLATED))
    start = 144 + int.from_bytes(whole[140:144], "little")  # after the file meta information (PS3.10, 7.1)
    packer = zlib.compressobj(9, wbits=-15)
    return whole[:start] + b"".join(packer.compress(bytes(1 << 20)) for _ in range(300)) + packer.flush()


def polyglot(front: bytes) -> bytes:
    data = dicom(film(3), 3)
    return front.ljust(128, b" ")[:128] + data[128:]


def jpeg_of_noise() -> bytes:
    held = BytesIO()
    Image.fromarray(np.random.default_rng(0).integers(0, 255, (300, 300)).astype(np.uint8)).save(held, "JPEG")
    return held.getvalue()


SVG = b'<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>'
HOSTILE = {
    "empty": (b"", FILM, 422),
    "svg": (SVG, "image/svg+xml", 415),
    "svg as png": (SVG, "image/png", 422),
    "words": (b"GET / HTTP/1.1", FILM, 422),
    "html": (b"<script>alert(1)</script>", "text/html", 415),
    "a form": (b"--x\r\n\r\n--x--", "multipart/form-data; boundary=x", 415),
    "no type": (b"x", "", 415),
    "bomb": (bomb(), FILM, 422),
    "noise": (jpeg_of_noise(), "image/jpeg", 422),
    "html preamble": (polyglot(b"<html><script>alert(1)</script>"), FILM, 422),
    "program preamble": (polyglot(b"MZ\x90\0"), FILM, 422),
    "pickle": (b"\x80\x04cos\nsystem\n", FILM, 422),
    "script in a uid": (dicom(film(3), 3, StudyInstanceUID="<script>alert(1)</script>"), FILM, 422),
    "no boundary": (b"x", "multipart/related", 400),
    "cut parts": (related(*pair())[0][:500], related()[1], 400),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_body_is_refused_with_a_reason_and_repeated_nowhere(client, name):
    data, kind, status = HOSTILE[name]
    answer = client.post(PREDICT, data, Content_Type=kind)
    assert (answer.status, answer.headers["content-type"]) == (status, "application/problem+json"), answer.body
    assert b"script" not in answer.body and b"alert" not in answer.body
    if status == 422:
        assert answer.json["answer"]["studies"][0]["files"][0]["reason"]


def test_a_bomb_is_not_inflated_beyond_the_cap(client):
    answer = client.post(PREDICT, bomb(), Content_Type=FILM)
    assert answer.json["answer"]["studies"][0]["files"][0]["reason"] == "too_large"


def test_names_of_parts_are_not_read(client):
    for name in ("../../etc/passwd", "<script>alert(1)</script>", "C:\\x.dcm"):
        body, kind = related(dicom(film(3), 3), name=name)
        assert b"passwd" not in (answer := client.post(PREDICT, body, Content_Type=kind)).body
        assert b"script" not in answer.body
        assert answer.status == 200


def raw(port: int, text: bytes, *more: bytes, wait_s: float = 0.0) -> bytes:
    """Send bytes as they are and return what comes until the other end closes."""
    with socket.create_connection((HOST, port), timeout=30) as link:
        link.sendall(text)
        for part in more:
            time.sleep(wait_s)
            link.sendall(part)
        link.settimeout(20)
        found = b""
        while b"\r\n\r\n" not in found or b"request_id" not in found:
            try:
                part = link.recv(1 << 16)
            except TimeoutError:
                break
            if not part:
                break
            found += part
        return found


def head(port: int, *lines: str) -> bytes:
    first = ("POST /api/v1/predict HTTP/1.1", f"Host: {HOST}:{port}", f"Content-Type: {FILM}", "X-Remote-User: a")
    return "\r\n".join([*first, *lines, "", ""]).encode()


def test_bodies_without_length_over_the_cap_or_too_slow_are_refused(lake):
    with served(lake, most_body_bytes=4096, idle_s=0.5) as (_, port):
        assert b"no_length" in raw(port, head(port))
        assert b"too_large" in raw(port, head(port, "Content-Length: 999999999"))
        chunks = [b"1000\r\n" + bytes(0x1000) + b"\r\n"] * 3
        assert b"too_large" in raw(port, head(port, "Transfer-Encoding: chunked"), *chunks)
        assert b"too_slow" in raw(port, head(port, "Content-Length: 1000"), b"x")
        assert b"unsupported_type" in raw(port, head(port, "Content-Length: 10", "Content-Encoding: gzip"))
        assert Client(port, "a").get("/health/ready").status == 200


def test_more_than_can_wait_are_told_to_come_again(lake):
    with served(lake, most_at_once=1, most_waiting=1) as (_, port):
        data, found = dicom(film(3), 3), []

        def ask() -> None:
            answer = Client(port, "program").post(PREDICT, data, Content_Type=FILM)
            found.append((answer.status, answer.headers.get("retry-after")))

        threads = [threading.Thread(target=ask) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert {status for status, _ in found} == {200, 429}
        assert all((after is not None) == (status == 429) for status, after in found)
        assert Client(port, "program").post(PREDICT, data, Content_Type=FILM).status == 200


def test_before_the_models_are_warm_everybody_is_told_to_wait(lake, monkeypatch):
    gate = threading.Event()
    monkeypatch.setattr("radia_pipeline.review.models.Models.open", lambda self: gate.wait(30))
    with served(lake, waits=False) as (_, port):
        client = Client(port, "program")
        assert client.get("/health/live").status == 200
        for answer in (client.get("/health/ready"), client.post(PREDICT, b"x", Content_Type=FILM)):
            assert (answer.status, answer.code, answer.headers["retry-after"]) == (503, "starting", "2")
        gate.set()


def test_nothing_that_is_sent_reaches_a_disk(lake, tmp_path, monkeypatch):
    import tempfile

    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    monkeypatch.setenv("TMPDIR", str(folder))

    def held() -> dict[str, int]:
        files = (path for path in tmp_path.rglob("*") if path.is_file() and path.suffix != ".lock")
        return {str(path): path.stat().st_size for path in files}

    with served(lake) as (_, port):
        client, before = Client(port, "program"), held()
        mark = b"UNIQUEMARK0123456789"
        body, kind = related(*pair(), mark * 300_000)
        assert client.post(PREDICT, body, Content_Type=kind).status == 200
        assert client.post(f"{PREDICT}&dicom=sr,gsps", body, Content_Type=kind).status == 200
        assert client.post("/page/uploads?identified=true", body, Content_Type=kind).status == 200
        assert client.post(PREDICT, mark * 300_000, Content_Type=FILM).status == 422
        assert held() == before
        assert [path for path in Path("/tmp").glob("tmp*") if path.is_file() and mark in path.read_bytes()] == []


def test_without_any_temporary_folder_everything_is_answered(lake, monkeypatch):
    import tempfile

    def none() -> str:
        raise FileNotFoundError("no temporary folder can be written")

    monkeypatch.setattr(tempfile, "tempdir", None)
    monkeypatch.setattr(tempfile, "_get_default_tempdir", none)
    with served(lake) as (_, port):
        client = Client(port, "program")
        assert client.post("/api/v1/predict?maps=png", dicom(film(3), 3), Content_Type=FILM).status in (200, 422)
        told = client.post("/page/uploads?ocr=off", dicom(film(3), 3), Content_Type=FILM).json["images"][0]
        addresses = [f"{told['pixels']}?size=native", f"{told['pixels']}?size=stored", told["maps"]]
        assert [client.get(one).status for one in addresses] == [200] * 3


def test_parts_are_what_was_put_in_whatever_they_hold():
    parts = [b"", b"\r\n", b"--b0undar", b"\r\n--other\r\n", bytes(range(256)) * 3]
    body, _ = related(*parts)
    assert parts_of(bytearray(body), "b0undary") == parts
    for broken in (b"", b"--b0undary--", b"--b0undary\r\n", body[:-20], body.replace(b"b0undary", b"c0undary")):
        with pytest.raises((Problem, BadInput)):
            parts_of(bytearray(broken), "b0undary")


def test_answers_are_counted_by_day_where_a_person_asks_for_it_and_nowhere_else(lake):
    with served(lake) as (_, port):
        sound(Client(port, "program").post(PREDICT, dicom(film(3), 3), Content_Type=FILM))
    assert answers_by_day(lake) == {}
    with served(lake, counts_answers=True) as (_, port):
        client = Client(port, "program")
        sound(client.post(PREDICT, dicom(film(3), 3), Content_Type=FILM))
        assert client.post(PREDICT, b"no film", Content_Type=FILM).status == 422
    (one,) = answers_by_day(lake).values()
    assert (one.answered, sum(one.refused.values())) == (1, 1)
