"""A prediction answers for sound chest films and keeps silent about everything else, one file at a time."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from jsonschema import Draft202012Validator

from radia_pipeline.cli.main import radia
from radia_pipeline.contracts.location import contracts_root
from radia_pipeline.dicom import png16
from radia_pipeline.dicom.render import render_native
from radia_pipeline.errors import BadFrame, BadInput, NotTrained
from radia_pipeline.lake.lake import Lake
from radia_pipeline.phantom.dicom_files import IMPLICIT, JPEG_2000, JPEG_LS, SYNTAXES
from radia_pipeline.processes.frames import Frame
from radia_pipeline.usecases.answer_text import as_text
from radia_pipeline.usecases.asking import Call, Wish
from radia_pipeline.usecases.looking import looked_of
from radia_pipeline.usecases.looking_work import look_frame
from radia_pipeline.usecases.predict import predict, predict_into
from radia_pipeline_tests.usecases.films import classes_of, coloured, dicom, film

pytestmark = pytest.mark.slow
SCHEMA = Draft202012Validator(json.loads((contracts_root() / "answer.schema.json").read_text(encoding="utf-8")))


@pytest.fixture(scope="module")
def lake(film_lake) -> Lake:
    return film_lake


def ask(lake, paths, **wish):
    """Ask without looking for print, which has tests of its own, and hold the answer against its schema."""
    answer = predict(paths, lake, workers=2, **{"ocr": "off", **wish})
    assert [error.message for error in SCHEMA.iter_errors(json.loads(json.dumps(answer)))] == []
    return answer


def written(folder: Path, **files: bytes) -> list[Path]:
    folder.mkdir(exist_ok=True)
    for name, data in files.items():
        (folder / name).write_bytes(data)
    return [folder / name for name in files]


def first(answer):
    return answer["studies"][0]["files"][0]


def test_a_film_is_answered_class_by_class_with_normal_and_abnormal_first(lake, tmp_path):
    answer = ask(lake, written(tmp_path, film=dicom(film(3), 3)))
    study = answer["studies"][0]
    assert (answer["notice"], study["status"], study["views"]) == ("research, not for diagnosis", "answered", ["PA"])
    assert study["normal"]["probability"] + study["abnormal"]["probability"] == pytest.approx(1)
    known = {row["class"] for row in (*study["groups"], *study["classes"]) if row["status"] == "known"}
    assert "Mass" in known
    fracture = next(row for row in study["classes"] if row["class"] == "Fracture")
    assert (fracture["status"], fracture["probability"]) == ("unknown", None)
    assert 0 < first(answer)["distance"] < 1


def test_every_kind_of_bad_file_has_its_reason_and_costs_itself(lake, tmp_path):
    whole = dicom(film(4), 4)
    files = {
        "good": whole,
        "truncated": dicom(film(5), 5)[:9000],
        "empty": b"",
        "text": b"nothing but words",
        "colour": coloured(film(5)),
        "identity": dicom(film(6), 6, PatientName="NAME^SECRET"),
        "black": png16.encode(np.zeros((200, 200), np.uint16)),
        "tiny": png16.encode(film(1)[::20, ::20]),
        "narrow": png16.encode(np.repeat(film(1)[:, :50], 8, axis=0)),
        "inverted": png16.encode(65535 - film(7)),
        "turned": png16.encode(np.ascontiguousarray(np.rot90(film(7)))),
        "noise": png16.encode(np.random.default_rng(0).integers(0, 65535, (200, 200)).astype(np.uint16)),
    }
    answer = ask(lake, written(tmp_path, **files))
    reasons = {Path(study["files"][0]["file"]).name: study["files"][0]["reason"] for study in answer["studies"]}
    assert reasons["good"] is None
    assert reasons["identity"] == "identity_in_header"
    assert (reasons["inverted"], reasons["turned"]) == ("inverted", "rotated")
    assert [name for name, reason in reasons.items() if reason is None] == ["good"]
    told = json.dumps(answer)
    assert "SECRET" not in told
    for study in answer["studies"]:
        figures = [row for row in study if row not in ("study", "status", "views", "files")]
        assert bool(figures) == (study["status"] == "answered")
    alone = ask(lake, [tmp_path / "good"])
    assert classes_of(answer["studies"][0]) == classes_of(alone["studies"][0])


def test_no_model_sees_a_file_before_the_judgement_has_let_it_in(lake, tmp_path):
    paths = written(tmp_path, a=dicom(film(4), 4, PatientName="NAME^SECRET"), b=png16.encode(65535 - film(2)))
    ask(lake, paths)  # makes what the models answer with, where no test before did
    call = Call(lake, paths, Wish(ocr="off", workers=1), lambda *_: None)
    answers = list(call.answers())
    opened = [model for model in call.reader.ready.models.values() if "_sessions" in vars(model)]
    assert [answer["status"] for answer in answers] == ["refused", "refused"]
    assert opened == []


def test_films_of_one_study_are_read_together_by_their_uids_or_by_word(lake, tmp_path):
    pair = written(tmp_path, a=dicom(film(30), 30, study=1), z=dicom(film(30, "LATERAL"), 31, view="LATERAL", study=1))
    other = written(tmp_path, m=dicom(film(33), 33, study=2))
    answer = ask(lake, [pair[0], *other, pair[1]])
    assert [study["views"] for study in answer["studies"]] == [["PA", "LATERAL"], ["PA"]]
    both, alone = classes_of(answer["studies"][0]), classes_of(ask(lake, pair[:1])["studies"][0])
    assert both != alone
    assert classes_of(ask(lake, [*pair], one_study=True)["studies"][0]) == both


@pytest.mark.parametrize("syntax", SYNTAXES)
def test_a_study_is_known_by_its_head_or_else_by_the_whole_file(tmp_path, syntax):
    noise = np.random.default_rng(0).integers(0, 65535, (512, 512)).astype(np.uint16)
    paths = written(tmp_path, a=dicom(noise, 1, study=1, syntax=syntax), b=dicom(noise, 2, study=1, syntax=syntax))
    told = [look_frame(Frame([str(path), "ccsmtl", False, False, [], False, "salt", True])) for path in paths]
    one, other = (looked_of(Frame(json.loads(json.dumps(frame.body)))).study for frame in told)
    assert one == other
    assert one


@pytest.mark.parametrize(
    ("change", "place"),
    [
        ([["mirrored", "much"]], 2),
        ([[["mirrored"], 1.0]], 2),
        ([["mirrored", None]], 2),
        ([["mirrored", float("nan")]], 2),
        ([0, 0], 9),
        ([0, 0], 10),
        (7, 11),
        ("SIDEWAYS", 3),
        (7, 0),
        (7, 7),
    ],
)
def test_what_a_worker_says_in_another_form_is_not_believed(change, place):
    body = [None, None, [["mirrored", 0.9]], "PA", "header", "study", "content", None, [9, 9], [9, 9], [9, 9], "seal"]
    square = np.zeros((9, 9), dtype=np.uint16)
    assert looked_of(Frame([body, False, False], (square,))).doubts == (("mirrored", 0.9),)
    body[place] = change
    with pytest.raises(BadFrame):
        looked_of(Frame([body, False, False], (square,)))
    with pytest.raises(BadFrame):
        looked_of(
            Frame([["blank", None, [], "PA", "header", None, "", None, [9, 9], [9, 9], [9, 9], None], False, True])
        )


def test_a_lateral_film_alone_is_answered_with_a_flag(lake, tmp_path):
    answer = ask(lake, written(tmp_path, z=dicom(film(33, "LATERAL"), 31, view="LATERAL")))
    assert [flag["flag"] for flag in first(answer)["flags"]][-1:] == ["lateral_alone"]


def test_encoding_and_order_change_nothing(lake, tmp_path):
    frontal, lateral = film(36), film(36, "LATERAL")
    answers = []
    for number, syntax in enumerate(("", str(IMPLICIT), str(JPEG_LS), str(JPEG_2000))):
        a = dicom(frontal, 1, study=1, syntax=syntax)
        b = dicom(lateral, 2, study=1, syntax=syntax, view="LATERAL")
        paths = written(tmp_path / str(number), a=a, b=b)
        answers.append(ask(lake, paths if number % 2 else paths[::-1]))
    one = classes_of(answers[0]["studies"][0])
    for other in answers[1:]:
        assert classes_of(other["studies"][0]) == pytest.approx(one, abs=1e-6)
    alone = ask(lake, written(tmp_path, a=dicom(frontal, 1)))
    as_png = ask(lake, written(tmp_path, b=png16.encode(render_native(tmp_path / "a"))))
    assert classes_of(as_png["studies"][0]) == pytest.approx(classes_of(alone["studies"][0]), abs=1e-6)


def test_an_identified_film_is_answered_and_leaves_no_trace_of_whose_it_is(lake, tmp_path, capfd):
    canary = "ZQXCANARY"
    path = tmp_path / f"{canary}.dcm"
    path.write_bytes(dicom(film(4), 4, PatientName=f"{canary}^A", PatientID=canary, StudyDescription=canary))
    before = {one: one.stat().st_mtime_ns for one in lake.root.rglob("*") if one.is_file()}
    answer = ask(lake, [path], identified=True)
    captured = capfd.readouterr()
    assert answer["studies"][0]["status"] == "answered"
    assert first(answer)["file"] == "image 1"
    assert canary not in json.dumps(answer) + captured.out + captured.err
    made = [one for one in lake.root.rglob("*") if one.is_file() and before.get(one) != one.stat().st_mtime_ns]
    assert not any(canary.encode() in one.read_bytes() for one in made)
    with pytest.raises(BadInput, match="maps") as error:
        ask(lake, [path], identified=True, maps=tmp_path / "maps")
    assert canary not in str(error.value)
    with pytest.raises(BadInput) as error:
        ask(lake, [tmp_path / f"{canary}-absent.dcm"], identified=True)
    assert canary not in str(error.value)


def test_objects_of_an_identified_film_are_all_that_names_its_patient(lake, tmp_path, capfd):
    canary = "ZQXCANARY"
    path = tmp_path / "films" / f"{canary}.dcm"
    path.parent.mkdir()
    path.write_bytes(dicom(film(4), 4, PatientName=f"{canary}^A", PatientID=canary, AccessionNumber=canary[:16]))
    before = {one: one.stat().st_mtime_ns for one in lake.root.rglob("*") if one.is_file()}
    out = tmp_path / "objects"
    answer = ask(lake, [path], identified=True, dicom_out=out)
    told = predict_into(tmp_path / "answers.jsonl", [path], lake, identified=True, dicom_out=out, dicom="sr", ocr="off")
    captured = capfd.readouterr()
    lines = (tmp_path / "answers.jsonl").read_text()
    assert canary not in json.dumps([answer, told]) + lines + captured.out + captured.err
    made = [one for one in lake.root.rglob("*") if one.is_file() and before.get(one) != one.stat().st_mtime_ns]
    assert not any(canary.encode() in one.read_bytes() for one in made)
    named = [Path(one["file"]) for one in answer["studies"][0]["objects"]]
    assert sorted(named) == sorted(out.iterdir())
    assert all(canary.encode() in one.read_bytes() and one.stat().st_mode & 0o777 == 0o600 for one in named)
    assert out.stat().st_mode & 0o777 == 0o700


def test_objects_are_asked_for_with_a_place_and_a_kind(lake, tmp_path):
    paths = written(tmp_path / "films", f=dicom(film(3), 3), g=png16.encode(film(5)))
    for wish in (
        {"dicom": "sr"},
        {"dicom_out": tmp_path / "o", "dicom": "seg"},
        {"dicom_out": paths[0]},
        {"dicom_out": tmp_path / "films" / "o"},
    ):
        with pytest.raises(BadInput):
            predict(tmp_path / "films", lake, ocr="off", **wish)
    answer = predict(tmp_path / "films", lake, ocr="off", dicom_out=tmp_path / "o", dicom="sr")
    assert [[one["kind"] for one in study["objects"]] for study in answer["studies"]] == [["sr"], []]
    assert answer["studies"][1]["no_objects"]["reason"] == "not_dicom"
    assert [error.message for error in SCHEMA.iter_errors(answer)] == []
    assert "No DICOM object: a film is no DICOM file" in as_text(answer)


def test_maps_are_written_with_a_word_where_they_lie_outside(lake, tmp_path):
    paths = written(tmp_path, **{f"f{number}": dicom(film(number), number) for number in range(40, 46)})
    answer = ask(lake, paths, maps=tmp_path / "maps")
    told = [one for study in answer["studies"] for one in study["maps"]]
    assert {one["picture"] for one in told} == {str(path) for path in (tmp_path / "maps").iterdir()}
    assert told
    for one in told:
        share = one["outside_thorax"]
        assert (one["warning"] is None) == (share is not None and share <= 0.5)


def test_answers_go_on_after_a_kill(lake, tmp_path):
    paths = written(tmp_path, **{f"f{number}": dicom(film(number), number) for number in range(50, 56)})
    whole = predict_into(tmp_path / "whole.jsonl", paths, lake, ocr="off", workers=2)
    lines = (tmp_path / "whole.jsonl").read_bytes().splitlines(keepends=True)
    assert (whole["counted"], len(lines)) == ({"studies": 6, "answered": 6, "refused": 0}, 7)
    assert [error.message for error in SCHEMA.iter_errors(whole)] == []
    one_study = SCHEMA.evolve(schema={"$defs": SCHEMA.schema["$defs"], "$ref": "#/$defs/study"})
    assert [fault.message for line in lines[1:] for fault in one_study.iter_errors(json.loads(line))] == []
    (tmp_path / "cut.jsonl").write_bytes(b"".join(lines[:3]) + lines[3][:40])
    again = predict_into(tmp_path / "cut.jsonl", paths, lake, ocr="off", workers=2)
    assert again["counted"] == whole["counted"]
    assert (tmp_path / "cut.jsonl").read_bytes() == b"".join(lines)
    with pytest.raises(BadInput, match="another list of files"):
        predict_into(tmp_path / "whole.jsonl", paths[1:], lake, ocr="off")
    with pytest.raises(BadInput, match="taken in otherwise"):
        predict_into(tmp_path / "whole.jsonl", paths, lake, ocr="off", one_study=True)
    (tmp_path / "text").write_text("words of somebody\n")
    with pytest.raises(BadInput, match="damaged"):
        predict_into(tmp_path / "text", paths, lake, ocr="off")


def test_answers_to_identified_films_are_never_those_of_others(lake, tmp_path):
    one, other = (written(tmp_path / name, f=dicom(film(number), number)) for name, number in (("a", 50), ("b", 51)))
    out = tmp_path / "answers.jsonl"
    predict_into(out, one, lake, identified=True, workers=1)
    before = out.read_bytes()
    with pytest.raises(BadInput, match="not gone on with"):
        predict_into(out, other, lake, identified=True, workers=1)
    assert out.read_bytes() == before


def test_nothing_is_written_among_the_films(lake, tmp_path):
    paths = written(tmp_path / "films", f=dicom(film(3), 3))
    inside = {"match": "inside a folder of films"}
    with pytest.raises(BadInput, **inside):
        predict_into(tmp_path / "films" / "answers.jsonl", tmp_path / "films", lake, ocr="off")
    with pytest.raises(BadInput, **inside):
        predict(tmp_path / "films", lake, ocr="off", maps=tmp_path / "films" / "maps")
    assert list((tmp_path / "films").iterdir()) == paths


def test_a_pipe_and_a_broken_link_have_their_reason(lake, tmp_path):
    written(tmp_path / "films", f=dicom(film(3), 3))
    os.mkfifo(tmp_path / "films" / "pipe")
    (tmp_path / "films" / "link").symlink_to("nowhere")
    answer = ask(lake, [tmp_path / "films"])
    files = [file for study in answer["studies"] for file in study["files"]]
    assert {Path(file["file"]).name: file["reason"] for file in files} == {
        "f": None,
        "pipe": "unreadable",
        "link": "unreadable",
    }


LIGHT = """
import sys
from radia_pipeline.cli.main import main
sys.argv = ["radia", "predict", "--ocr", "off", "--json", "--lake", *sys.argv[1:]]
code = main()
print([name for name in ("torch", "timm", "sklearn", "pandas", "mlflow", "pydicom") if name in sys.modules])
sys.exit(code)
"""


def test_a_ready_lake_answers_without_the_heavy_libraries(lake, tmp_path):
    paths = written(tmp_path, film=dicom(film(3), 3))
    ask(lake, paths)
    done = subprocess.run(
        [sys.executable, "-c", LIGHT, str(lake.root), str(paths[0])], capture_output=True, text=True, check=True
    )
    answer, heavy = done.stdout.splitlines()
    assert json.loads(answer)["studies"][0]["status"] == "answered"
    assert heavy in ("[]", "['pydicom']")


def test_a_path_is_meant_from_where_the_caller_stands(lake, tmp_path, monkeypatch):
    """Also after a program has gone elsewhere since its first call."""
    for number, name in enumerate(("one", "other")):
        written(tmp_path / name, film=dicom(film(number), number))
        monkeypatch.chdir(tmp_path / name)
        assert ask(lake, ["film"])["counted"]["answered"] == 1


def test_what_is_no_lake_or_no_file_is_said(lake, tmp_path):
    with pytest.raises(NotTrained, match="no ensemble"):
        predict(tmp_path, Lake.open(tmp_path / "new"))
    with pytest.raises(BadInput, match="cannot be read"):
        ask(lake, tmp_path / "absent.dcm")
    with pytest.raises(BadInput, match="no files"):
        (tmp_path / "empty").mkdir()
        ask(lake, tmp_path / "empty")


def test_the_command_says_no_with_its_exit_code(lake, tmp_path):
    from click.testing import CliRunner

    good, bad = written(tmp_path, a=dicom(film(3), 3), b=png16.encode(65535 - film(3)))
    asked = ["predict", "--ocr", "off", "--lake", str(lake.root)]
    done = CliRunner().invoke(radia, [*asked, str(good), str(bad)])
    assert done.exit_code == 0, done.output
    assert "Research, not for diagnosis." in done.output
    assert "refused, inverted" in done.output
    assert CliRunner().invoke(radia, [*asked, str(bad)]).exit_code == 1


def test_the_documented_program_runs(lake, tmp_path, monkeypatch, capsys):
    page = (Path(__file__).resolve().parents[2] / "docs" / "predict.md").read_text(encoding="utf-8")
    program = re.search(r"```python\n(.*?)```", page, re.DOTALL).group(1)
    written(tmp_path, **{"image.dcm": dicom(film(3), 3)})
    (tmp_path / ".radia").mkdir()
    (tmp_path / ".radia" / "lake").symlink_to(lake.root)
    monkeypatch.chdir(tmp_path)
    exec(compile(program, "docs/predict.md", "exec"), {})
    shown = capsys.readouterr().out
    assert "image.dcm None None" in shown
