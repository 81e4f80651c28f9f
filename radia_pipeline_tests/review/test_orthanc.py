"""The loop with an archive: every study is asked about, answered or listed with a reason; objects are stored once."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
from io import BytesIO
from pathlib import Path

import pytest
from pydicom import Dataset, dcmread

from radia_pipeline.review.server import Server
from radia_pipeline.usecases.dicom_objects import KINDS
from radia_pipeline.usecases.presentation_state import SERIES_NUMBER as GSPS_SERIES
from radia_pipeline.usecases.structured_report import SERIES_NUMBER as SR_SERIES
from radia_pipeline_tests.review import orthanc
from radia_pipeline_tests.review.orthanc import Killed, Paper, receiving, running, wait_for
from radia_pipeline_tests.review.test_api import related
from radia_pipeline_tests.review.worlds import Client, served
from radia_pipeline_tests.usecases.archive_objects import answer, looked, made, placed
from radia_pipeline_tests.usecases.films import dicom, film

LOOP = orthanc.loop_module()
ROOT = Path(__file__).resolve().parents[2]
GUIDE = ROOT / "docs" / "pacs.md"
JSON = "application/dicom+json"
WHO = {"PatientName": "NAME^CANARYQX", "PatientID": "CANARYQX", "AccessionNumber": "CANARYQX"}


def front(number: int = 30, **more: str) -> bytes:
    return dicom(film(number), number, study=number, **{**WHO, **more})


def inverted(number: int) -> bytes:
    return dicom(65535 - film(number), number, study=number, **WHO)


def reply(*objects: bytes, problem: dict | None = None, **more) -> tuple:
    """Return what the API says of an answered study whose objects are these; a ``problem`` stands in its place."""
    answer = problem or {"studies": [{"files": [], **more}], "model": {"ensemble": "e"}}
    parts = [b"Content-Type: application/json\r\n\r\n" + json.dumps(answer).encode()]
    parts += [b"Content-Type: application/dicom\r\n\r\n" + one for one in objects]
    body = b"".join(b"--b\r\n" + part + b"\r\n" for part in parts) + b"--b--\r\n"
    return 200, 'multipart/related; type="application/json"; boundary=b', body, None


def loop_over(paper: Paper, *answers: tuple | Exception, **settings) -> object:
    """Return a loop over a paper archive; the API answers in this order, the last for ever."""

    def ask(_films):
        paper.asked += 1
        told = answers[min(paper.asked, len(answers)) - 1]
        if isinstance(told, Exception):
            raise told
        return told

    return LOOP.Loop(paper, ask, settings, lambda _: None)


def begun(films: int = 2) -> Paper:
    """Return a paper archive to which a study has come since the script's first start."""
    paper = Paper({"s1": {f"1.{n}": f"i{n}" for n in range(films)}})
    loop_over(paper).step()
    paper.arrive("s1")
    paper.calls = 0
    return paper


def test_killed_at_any_call_a_study_is_asked_once_more_and_stored_once():
    whole = begun()
    loop_over(whole, reply(b"sr", b"gsps"), SendTo="PACS").step()
    assert (whole.asked, whole.stored, whole.sent_on) == (1, [b"sr", b"gsps"], [["sr", "gsps"]])
    for call in range(1, whole.calls + 1):
        paper = begun()
        paper.dies_at = call
        with pytest.raises(Killed):
            loop_over(paper, reply(b"sr", b"gsps"), SendTo="PACS").step()
        paper.dies_at = None
        for _ in range(3):
            loop_over(paper, reply(b"sr", b"gsps"), SendTo="PACS").step()
        assert 1 <= paper.asked <= 2, call
        assert paper.kept == {"sr": b"sr", "gsps": b"gsps"}
        assert json.loads(paper.records["s1"])["state"] == "answered"
        assert paper.properties[LOOP.POSITION] == "1" and 1 <= len(paper.sent_on) <= 2


def test_what_is_stored_back_asks_nothing_again_and_a_film_that_comes_late_does():
    paper = begun()
    loop = loop_over(paper, reply(b"sr"))
    loop.step()
    paper.arrive("s1")
    loop.step()
    assert paper.asked == 1
    paper.studies["s1"]["1.9"] = "i9"
    paper.arrive("s1")
    loop.step()
    assert paper.asked == 2


def test_who_cannot_answer_is_asked_later_and_nothing_is_lost():
    paper = begun()
    paper.unstable.add("s1")
    loop = loop_over(paper, OSError("away"), (503, "", b"", 7.0), (429, "", b"", None), reply(b"sr"))
    loop.step()
    assert paper.asked == 0, "not before it has come to rest"
    paper.unstable.clear()
    waits = [loop.step() for _ in range(3)]
    assert (waits, paper.records) == ([60.0, 7.0, 10.0], {})
    again = loop_over(paper, reply(b"sr"))  # the archive was started anew
    again.step()
    assert (list(paper.kept), json.loads(paper.records["s1"])["state"]) == (["sr"], "answered")


def test_a_refusal_stands_at_the_study_with_reasons_and_no_number_until_a_person_asks_again():
    files = [
        {"file": "image 1", "reason": "inverted", "means": "bright and dark", "do": "turn it", "distance": 0.7},
        {"file": "image 2", "reason": None, "means": None, "do": None},
    ]
    problem = json.dumps({"code": "refused", "answer": {"studies": [{"files": files}]}}).encode()
    paper = begun()
    loop = loop_over(paper, (422, "application/problem+json", problem, None), reply(b"sr"))
    loop.step()
    (row,) = loop.worklist()
    assert row["reasons"] == [{"reason": "inverted", "means": "bright and dark", "do": "turn it"}]
    assert "0.7" not in paper.records["s1"] and paper.kept == {}
    assert "turn it" in LOOP.page(loop.worklist()) and "None." in LOOP.page([])
    assert not loop.again("s2") and loop.again("s1")
    loop_over(paper, reply(b"sr")).step()  # the archive was started anew in between
    assert (loop.worklist(), list(paper.kept)) == ([], ["sr"])


def test_killed_at_any_call_a_refusal_with_objects_ends_as_one_and_they_are_stored_once():
    def told() -> tuple:
        files = [{"reason": "inverted", "means": "bright and dark", "do": "turn it", "distance": 0.7}]
        problem = {"code": "refused", "answer": {"studies": [{"files": files}]}}
        return 422, *reply(b"sr", b"gsps", problem=problem)[1:]

    whole = begun()
    loop_over(whole, told(), SendTo="PACS").step()
    assert (whole.asked, whole.stored, whole.sent_on) == (1, [b"sr", b"gsps"], [["sr", "gsps"]])
    for call in range(1, whole.calls + 1):
        paper = begun()
        paper.dies_at = call
        with pytest.raises(Killed):
            loop_over(paper, told(), SendTo="PACS").step()
        paper.dies_at = None
        for _ in range(3):
            loop = loop_over(paper, told(), SendTo="PACS")
            loop.step()
        assert 1 <= paper.asked <= 2 and paper.kept == {"sr": b"sr", "gsps": b"gsps"}, call
        (row,) = loop.worklist()
        assert (row["state"], row["reasons"][0]["reason"]) == ("refused", "inverted") and "ends" not in row
        assert "0.7" not in paper.records["s1"] and 1 <= len(paper.sent_on) <= 2


@pytest.mark.parametrize(
    ("answers", "state", "reason"),
    [
        ([(500, "", b"oops", None)], "failed", "error"),
        ([(413, "", b'{"code": "too_large", "title": "too large", "do": "less"}', None)], "refused", "too_large"),
        ([reply(no_objects={"reason": "several_studies", "means": "m", "do": "d"})], "refused", "several_studies"),
        ([reply()], "refused", "no_objects"),
    ],
)
def test_every_other_end_has_its_reason(answers, state, reason):
    paper = begun()
    loop = loop_over(paper, *answers)
    for _ in range(4):
        loop.step()
    (row,) = loop.worklist()
    assert (row["state"], row["reasons"][0]["reason"]) == (state, reason)
    assert paper.asked <= LOOP.MOST_TRIES


def test_a_study_of_too_many_films_and_one_that_was_deleted_cost_no_question():
    paper = begun(LOOP.MOST_FILMS + 1)
    paper.arrive("gone")
    loop = loop_over(paper, reply(b"sr"))
    loop.step()
    assert (paper.asked, loop.worklist()[0]["reasons"][0]["reason"]) == (0, "too_many_films")
    assert paper.properties[LOOP.POSITION] == "2"


def test_the_sample_says_what_the_script_and_the_api_know():
    sample = json.loads(orthanc.SAMPLE.read_text(encoding="utf-8"))
    assert set(sample["Radia"]) == set(LOOP.DEFAULTS)
    assert set(sample["Radia"]["Dicom"].split(",")) <= set(KINDS)
    assert LOOP.METADATA in sample["UserMetadata"] and sample["Radia"]["SendTo"] in sample["DicomModalities"]
    assert not sample["RemoteAccessAllowed"] and not sample["OverwriteInstances"]


def guide_lines() -> list[str]:
    """Return the shell commands of the guide for an archive's administrator."""
    blocks = re.findall(r"^ *```sh\n(.*?)^ *```", GUIDE.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    return [line.strip() for block in blocks for line in block.splitlines()]


def test_the_guide_installs_what_there_is_and_explains_every_setting():
    text, lines = GUIDE.read_text(encoding="utf-8"), guide_lines()
    packages = next(line for line in lines if line.startswith("apt-get")).split()[2:]
    assert set(packages) <= set((ROOT / ".ci" / "run").read_text(encoding="utf-8").replace('"', " ").split())
    for line in (line for line in lines if line.startswith("install")):
        source, target = line.split()[-2:]
        assert (ROOT / source).exists() and target == f"/etc/orthanc/{Path(source).name}"
    assert all(f"`{name}`" in text for name in (*LOOP.DEFAULTS, "StableAge", "OverwriteInstances"))
    assert all(f"`{name}`" in text for name in ("no_uid", "several_studies", "bad_header", "RADIA_BOXES", "RADIA_MAPS"))
    assert str(SR_SERIES) in text and str(GSPS_SERIES) in text
    assert json.loads(orthanc.SAMPLE.read_text(encoding="utf-8"))["PythonScript"] == "/etc/orthanc/radia_loop.py"


@pytest.mark.slow
def test_debians_orthanc_ends_with_objects_or_a_reason(lake, tmp_path, monkeypatch):
    asked = []
    monkeypatch.setattr(Server, "count", lambda _, studies: asked.append(len(studies)))
    with (
        served(lake, proxy=None) as (_, port),
        running(tmp_path / "orthanc", port, SendTo="PACS") as archive,
        receiving(tmp_path / "pacs", archive.pacs),
    ):
        side = dicom(film(30, "LATERAL"), 31, view="LATERAL", study=30, **WHO)
        study = archive.send(front())
        assert archive.send(side) == study
        refused = archive.send(inverted(33))
        wait_for(lambda: (archive.record(study) or {}).get("state") == "answered", "no answer")
        wait_for(lambda: (archive.record(refused) or {}).get("state") == "refused", "no reason")
        assert archive.modalities(study) == ["DX", "DX", "PR", "PR", "SR"]
        sent = archive.record(study)["objects"]
        assert archive.modalities(refused) == ["DX", "PR", "SR"]
        sent += archive.record(refused)["objects"]
        uids = {dcmread_of(Client(archive.http).get(f"/instances/{one}/file").body).SOPInstanceUID for one in sent}
        assert {dcmread(path).SOPInstanceUID for path in (tmp_path / "pacs").iterdir()} == uids
        report = archive.record(study)["objects"][0]
        read = dcmread_of(Client(archive.http).get(f"/instances/{report}/file").body)
        assert str(read.PatientName) == WHO["PatientName"] and read.AccessionNumber == WHO["AccessionNumber"]
        (row,) = archive.json("/radia/worklist")
        assert row["study"] == refused and row["reasons"][0]["do"]
        assert not any(isinstance(value, float) for one in row["reasons"] for value in one.values())
        shown = Client(archive.http).get("/radia/worklist", Accept="text/html")
        assert shown.headers["content-type"] == "text/html" and row["reasons"][0]["means"] in shown.body.decode()
        assert Client(archive.http).post(f"/radia/worklist/{refused}/again", b"").status in (301, 302, 303, 307)
        wait_for(lambda: len(asked) == 3, "not asked again")
        wait_for(lambda: archive.record(refused)["state"] == "refused", "no reason again")
        assert len(asked) == 3
        for line in (line for line in guide_lines() if line.startswith("curl")):
            words = [word.replace("127.0.0.1:8042", f"127.0.0.1:{archive.http}") for word in shlex.split(line)]
            done = subprocess.run(words, capture_output=True, timeout=60, check=False)
            assert done.returncode == 0 and done.stdout, line
        assert b"CANARYQX" not in (archive.folder / "log").read_bytes()
    archives = {archive.folder, tmp_path / "pacs"}
    made = [path for path in tmp_path.rglob("*") if path.is_file() and not archives & set(path.parents)]
    assert not [path for path in made if b"CANARYQX" in path.read_bytes()]


@pytest.mark.slow
def test_debians_orthanc_killed_again_and_again_stores_each_object_once(lake, tmp_path):
    with served(lake, proxy=None) as (_, port), running(tmp_path / "orthanc", port) as archive:
        studies = [archive.send(front(number)) for number in (30, 32, 36)]
        for after_s in (0.3, 1.5, 2.5, 0.8):
            with pytest.raises(TimeoutError):
                wait_for(lambda: None, "time to work", after_s)
            archive.kill()
            archive.start()
        for study in studies:
            wait_for(lambda: (archive.record(study) or {}).get("state") == "answered", "no answer")  # noqa: B023
        assert [archive.modalities(study) for study in studies] == [["DX", "PR", "SR"]] * 3


def test_objects_go_into_an_archive_by_dicomweb_and_are_stored_once(tmp_path):
    paths = {"a": tmp_path / "film.dcm"}
    paths["a"].write_bytes(front())
    films = {"a": looked(paths["a"], identified=True)}
    boxes = [placed("a", films["a"], "Mass", (0.2, 0.2, 0.3, 0.3))]
    objects = made(paths, films, answer(films, ("Mass",), boxes))
    body, kind = related(paths["a"].read_bytes(), *(one.content for one in objects))
    with running(tmp_path / "orthanc", 9) as archive:
        for _ in range(2):
            told = Client(archive.http).post("/dicom-web/studies", body, Content_Type=kind, Accept=JSON)
            failed = told.json.get("00081198", {})  # FailedSOPSequence (PS3.18 10.5.3)
            assert told.status == 200 and not failed.get("Value")
        (study,) = archive.json("/studies")
        assert archive.modalities(study) == ["DX", "PR", "SR"]
        found = Client(archive.http).get("/dicom-web/instances", Accept=JSON).json
    uids = {one["00080018"]["Value"][0] for one in found}
    assert uids >= {dcmread_of(one.content).SOPInstanceUID for one in objects} and len(uids) == 3


def dcmread_of(data: bytes) -> Dataset:
    return dcmread(BytesIO(data))
