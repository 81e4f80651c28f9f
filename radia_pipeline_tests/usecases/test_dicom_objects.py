"""Objects for an archive: every reader takes them, they say what the answer says, and boxes lie where they are seen."""

from __future__ import annotations

import stat
from collections.abc import Iterator
from dataclasses import replace
from types import SimpleNamespace

import highdicom
import numpy as np
import pydicom
import pytest
from pydicom.sr.codedict import codes

from radia_pipeline.contracts.dicom_codes import OWN, codes_of, dicom_codes
from radia_pipeline.contracts.location import contracts_root, read_yaml
from radia_pipeline.contracts.vocabulary import vocabulary
from radia_pipeline.detection.decode import positions
from radia_pipeline.dicom.doubts import DOUBTS
from radia_pipeline.dicom.thorax import Thorax
from radia_pipeline.errors import BadInput, BadTable, UnknownName
from radia_pipeline.phantom import dicom_files
from radia_pipeline.phantom.dicom_files import SYNTAXES
from radia_pipeline.usecases import film_marks, looking_work
from radia_pipeline.usecases.answer_maps import drawn
from radia_pipeline.usecases.answers import Reader, _File
from radia_pipeline.usecases.dicom_objects import GSPS, SR, ObjectMaker, kinds_of, write_objects
from radia_pipeline.usecases.filed_under import PATIENT, STUDY
from radia_pipeline.usecases.film_labels import BREAK
from radia_pipeline.usecases.film_maps import Explained, FilmMap
from radia_pipeline.usecases.refusals import REFUSALS
from radia_pipeline_tests.usecases.archive_objects import (
    HEAD,
    TEN,
    answer,
    looked,
    made,
    placed,
    read_back,
    refusal,
    rendered,
)
from radia_pipeline_tests.usecases.films import dicom, film

PATIENT_ID = {"PatientID": "CC0030", "PatientName": "CC0030"}
SHARES = [(0.1 + 0.02 * n, 0.2 + 0.03 * n, 0.2, 0.25) for n in range(10)]


class Maps:
    """Stands for the models' maps: one bright place each."""

    def of(self, looked, classes) -> Explained:
        shown = np.zeros((64, 64), dtype=np.float32)
        shown[10:30, 34:50] = 1.0
        return Explained(None, tuple(FilmMap(name, shown, 0.7) for name in classes))


def pair(folder, syntax="") -> dict:
    """Write a study of two views; returns the path of each by name."""
    front = dicom(film(30), 30, study=1, syntax=syntax, **PATIENT_ID)
    side = dicom(film(30, "LATERAL"), 31, view="LATERAL", study=1, syntax=syntax, **PATIENT_ID)
    paths = {"a": folder / "a.dcm", "b": folder / "b.dcm"}
    for name, data in (("a", front), ("b", side)):
        paths[name].write_bytes(data)
    return paths


@pytest.mark.parametrize(
    ("syntax", "views", "called"),
    [
        *((syntax, "ab", TEN) for syntax in SYNTAXES),
        (SYNTAXES[0], "a", TEN),
        (SYNTAXES[0], "ab", ()),
        (SYNTAXES[0], "a", ()),
    ],
)
def test_every_reader_takes_them(tmp_path, syntax, views, called):
    paths = {name: path for name, path in pair(tmp_path, str(syntax)).items() if name in views}
    films = {name: looked(path) for name, path in paths.items()}
    boxes = [placed("a", films["a"], name, shares) for name, shares in zip(called, SHARES)]
    found = made(paths, films, answer(films, called, boxes), maps=Maps())
    assert [(one.kind, one.film) for one in found] == [(SR, None), *((GSPS, n) for n in range(1, 1 + len(views)))]
    report, state, *_ = (read_back(one, tmp_path) for one in found)
    assert report.StudyInstanceUID == state.StudyInstanceUID == pydicom.dcmread(paths["a"]).StudyInstanceUID
    content = highdicom.sr.ComprehensiveSR.from_dataset(report).content
    assert len(content.get_planar_roi_measurement_groups()) == len(called)
    layers = {one.GraphicLayer for one in state.GraphicAnnotationSequence}
    assert layers == ({"RADIA_BOXES", "RADIA_MAPS", "RADIA_NOTE"} if called else {"RADIA_NOTE"})


def test_every_ingestible_real_film_gets_them_and_stays_the_right_way_round(real_root, tmp_path):
    """In its own transfer syntax and photometric interpretation; grey is compared with our own rendering. What an
    ingest lets in with a flag that silences gets objects without a figure."""
    from radia_pipeline.dicom.render import render_native

    taken, silenced = 0, []
    for path in sorted((real_root / "ccsmtl" / "dicom").glob("*.dcm")):
        one = looked(path)  # by the one judgement, as an ingest
        if one.reason in REFUSALS:
            continue
        taken += 1
        films, called = {"a": one}, (TEN, ())[taken % 2]
        if one.reason is None:
            boxes = [placed("a", one, name, shares) for name, shares in zip(called, SHARES)]
            told = answer(films, called, boxes)
        else:
            silenced.append((path.name, one.reason))
            told = refusal(films)
        report, state = made({"a": path}, films, told, maps=Maps())
        assert is_without_figures(read_back(report, tmp_path)) == (one.reason is not None)
        read_back(state, tmp_path)
        ours = render_native(path)
        theirs = rendered(path, state, tmp_path)
        assert theirs.shape == ours.shape
        assert np.corrcoef(ours[::4, ::4].ravel(), theirs[::4, ::4].ravel())[0, 1] > 0.9, path.name
    assert taken >= 19 and silenced == [("0011.dcm", "not_a_chest")]


def is_without_figures(report: pydicom.Dataset) -> bool:
    """Tell whether a report holds no number, no finding that is called and no place."""
    items = list(everything(report))
    kinds = {item.ValueType for item in items}
    named = {item.ConceptNameCodeSequence[0].CodeValue for item in items if "ConceptNameCodeSequence" in item}
    return not kinds & {"NUM", "SCOORD"} and dicom_codes().concept("called").value not in named


def everything(item: pydicom.Dataset) -> Iterator[pydicom.Dataset]:
    """Yield a report and all of its content items."""
    yield item
    for inner in item.get("ContentSequence", ()):
        yield from everything(inner)


def reasons_in(report: pydicom.Dataset) -> list[str]:
    """Return why films were not judged, as a report says it."""
    name = dicom_codes().concept("no_answer").value
    return [
        item.ConceptCodeSequence[0].CodeValue
        for item in everything(report)
        if item.ValueType == "CODE" and item.ConceptNameCodeSequence[0].CodeValue == name
    ]


def note_of(state: pydicom.Dataset) -> str:
    (note,) = (one for one in state.GraphicAnnotationSequence if one.GraphicLayer == "RADIA_NOTE")
    return note.TextObjectSequence[0].UnformattedTextValue.replace(BREAK, " ")


@pytest.mark.parametrize("syntax", [SYNTAXES[0], SYNTAXES[-1]])
def test_a_refused_study_gets_objects_with_reasons_and_no_figure(tmp_path, syntax):
    paths = pair(tmp_path, str(syntax))
    paths["a"].write_bytes(dicom(65535 - film(30), 30, study=1, syntax=str(syntax), **PATIENT_ID))
    films = {name: looked(path) for name, path in paths.items()}
    report, *states = (read_back(one, tmp_path) for one in made(paths, films, refusal(films), maps=Maps()))
    assert is_without_figures(report) and reasons_in(report) == ["inverted", "no_frontal"]
    assert [one.ReferencedSeriesSequence[0].ReferencedImageSequence[0].ReferencedSOPInstanceUID for one in states] == [
        pydicom.dcmread(path).SOPInstanceUID for path in paths.values()
    ]
    assert all("No answer for this film" in note_of(one) and len(one.GraphicAnnotationSequence) == 1 for one in states)
    assert DOUBTS["inverted"].means in note_of(states[0])


def test_a_film_that_the_models_did_not_read_says_so_beside_one_that_they_read(tmp_path):
    paths = pair(tmp_path)
    films = {name: looked(path) for name, path in paths.items()}
    told = answer(films, TEN[:1], [placed("a", films["a"], TEN[0], SHARES[0])])
    told["files"][1]["used"] = False
    report, front, side = (read_back(one, tmp_path) for one in made(paths, films, told))
    assert reasons_in(report) == ["not_read"] and "did not read" in note_of(side)
    assert "Called at" in note_of(front) and len(side.GraphicAnnotationSequence) == 1


def test_of_a_film_that_was_not_let_in_nothing_is_taken_over(tmp_path):
    paths = pair(tmp_path)
    films = {name: looked(path) for name, path in paths.items()}
    told = refusal(films)
    for file in told["files"]:
        file["reason"] = "identity_in_header"
    assert made(paths, films, told) == []
    told["files"][1]["reason"] = "no_frontal"
    report, state = made(paths, films, told)
    assert state.film == 2 and pydicom.dcmread(paths["a"]).SOPInstanceUID.encode() not in report.content


def test_the_report_says_what_the_answer_says(tmp_path):
    paths = pair(tmp_path)
    films = {name: looked(path) for name, path in paths.items()}
    study = answer(films, TEN[:2], [placed("a", films["a"], "Pneumothorax", (0.1, 0.1, 0.2, 0.2))])
    (one,) = made(paths, films, study, kinds=(SR,))
    report = highdicom.sr.ComprehensiveSR.from_dataset(read_back(one, tmp_path))
    probability = dicom_codes().concept("probability")
    groups = report.content.get_image_measurement_groups()
    told = {}
    for group in groups:
        for figure in group.get_measurements():
            if figure.name.value == probability.value:
                told[group.finding_type.meaning] = figure.value
                assert figure.method.value == "calibrated"
    rows = [study["normal"], *study["groups"], *study["classes"]]
    assert told == {
        dicom_codes().classes[row["class"]].meaning: row["probability"]
        for row in rows
        if row["probability"] is not None
    }
    (box,) = report.content.get_planar_roi_measurement_groups()
    assert (box.finding_type.meaning, box.finding_sites[0].value.meaning) == ("Pneumothorax", "Pleura")
    assert HEAD["model"]["ensemble"].encode() in one.content and HEAD["model"]["detector"].encode() in one.content
    assert (report.ContentQualification, report.PreliminaryFlag, report.VerificationFlag) == (
        "RESEARCH",
        "PRELIMINARY",
        "UNVERIFIED",
    )
    assert "not for diagnosis" in report.SeriesDescription
    assert b"Research, not for diagnosis" in one.content
    assert b"low_resolution" in one.content


# --- where boxes lie ------------------------------------------------------------------------------------------------
SIDE_PX = 512
CASES = {
    "wide": ((300, 420), {}),
    "high": ((420, 300), {}),
    "inverted": ((333, 257), {"is_inverted": True}),
    "8 bits": ((300, 420), {"bits": 8}),
    "larger than stored": ((1500, 1311), {}),
    "flat pixels": ((300, 300), {"PixelAspectRatio": [1, 2]}),
    "tall pixels": ((300, 300), {"PixelAspectRatio": [3, 2]}),
}


class Seeing:
    """A detector that sees the brightest rectangle of its input, and says so in raw outputs."""

    spec = SimpleNamespace(
        classes=("Mass",),
        size_px=SIDE_PX,
        strides=(8,),
        score_threshold=0.3,
        nms_iou=0.5,
        max_boxes=5,
        outputs=("classes", "boxes", "centreness"),
        working_point=0.3,
        ensemble_thresholds=(0.3,),
        class_boxes=3,
        prior_weight=0.0,
        input_section=SimpleNamespace(channels="grey", normalisation="none"),
    )

    def raw(self, images: np.ndarray) -> list[np.ndarray]:
        plane = images[0, 0]
        bright = plane > plane.min() + 0.9 * (plane.max() - plane.min())
        rows, columns = np.flatnonzero(bright.any(axis=1)), np.flatnonzero(bright.any(axis=0))
        edges = np.array([columns[0], rows[0], columns[-1] + 1, rows[-1] + 1], dtype=float)
        centres, steps = positions(SIDE_PX, self.spec.strides)
        nearest = int(np.argmin(np.abs(centres - (edges[:2] + edges[2:]) / 2).sum(axis=1)))
        x, y = centres[nearest]
        logits, distances = np.full((1, len(centres), 1), -20.0), np.ones((1, len(centres), 4))
        logits[0, nearest] = 20.0
        distances[0, nearest] = np.array([x - edges[0], y - edges[1], edges[2] - x, edges[3] - y]) / steps[nearest]
        return [logits, distances, logits]


def planted(shape, change) -> tuple[bytes, np.ndarray]:
    """Return a film with a bright rectangle and its edges (left, top, right, bottom) in the delivered matrix."""
    rows, columns = shape
    edges = np.array([0.22 * columns, 0.31 * rows, 0.47 * columns, 0.68 * rows]).round().astype(int)
    rng = np.random.default_rng(3)
    grey = (0.2 + 0.3 * rng.random(shape)).astype(np.float32)
    grey[edges[1] : edges[3], edges[0] : edges[2]] = 1.0
    encoding = dicom_files.Encoding(str(dicom_files.EXPLICIT), change.get("is_inverted", False), change.get("bits", 12))
    uids = [dicom_files.phantom_uid(part) for part in ("study", "series", "image")]
    more = {name: value for name, value in change.items() if name[0].isupper()}
    header = dicom_files.Header("CC0001", *uids, "F", 50, "20220202", "PA", dicom_files.DEVICES[1], 0.2, identity=more)
    return dicom_files.dicom_bytes(dicom_files.stored_values(grey, encoding), header, encoding), edges


def bounds(mask: np.ndarray) -> np.ndarray:
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    return np.array([columns[0], rows[0], columns[-1] + 1, rows[-1] + 1])


@pytest.mark.parametrize("case", CASES)
def test_a_box_lies_where_two_renderings_show_what_it_is_around(tmp_path, monkeypatch, case):
    monkeypatch.setattr(looking_work, "doubts_of", lambda *_: {})
    monkeypatch.setattr("radia_pipeline.usecases.answers.to_channels", lambda grey, _: grey[None])
    data, edges = planted(*CASES[case])
    path = tmp_path / "film.dcm"
    path.write_bytes(data)
    one = replace(looked(path), squares=())
    one = replace(one, squares=(looking_work.letterbox(one.picture, SIDE_PX),))
    cuts = np.full(len(vocabulary().classes), 0.4)
    reader = Reader(SimpleNamespace(sides_px=(), ensemble=SimpleNamespace(thresholds=cuts)), Seeing(), "seeing")
    said = np.ones(len(vocabulary().classes))
    file, normal = _File("a", one, {}), vocabulary().index(vocabulary().no_finding)
    assert reader._boxes(file, said) == [], "a study that is called normal"
    boxes = reader._boxes(file, np.where(np.arange(len(said)) == normal, 0.0, said))
    report, state = made({"a": path}, {"a": one}, answer({"a": one}, ("Mass",), boxes))
    shown = read_back(state, tmp_path).GraphicAnnotationSequence[0].GraphicObjectSequence[0]
    corners = np.array(shown.GraphicData).reshape(-1, 2)
    box = np.concatenate([corners.min(axis=0), corners.max(axis=0)])
    seen_px = np.array(one.stored) * min(1.0, SIDE_PX / max(one.stored))
    coarse = np.maximum(1.0, np.array(one.matrix) / seen_px)[::-1]  # columns, rows: what the detector can tell
    theirs = rendered(path, state, tmp_path)
    assert theirs.shape == one.matrix
    assert np.abs(bounds(theirs > 230) - edges).max() == 0, "dcmtk shows the rectangle where it was planted"
    assert (np.abs(box - edges) <= np.tile(coarse, 2)).all()
    ours = drawn(one, np.zeros((8, 8), dtype=np.float32), None, boxes)
    yellow = bounds((ours[..., 0] < 60) & (ours[..., 1] > 180) & (ours[..., 2] > 200))
    back = yellow * (np.array(one.matrix[::-1] * 2) / np.array(one.stored[::-1] * 2))
    line = 2 + np.array(one.matrix[::-1]) / np.array(one.stored[::-1])  # its own width
    assert (np.abs(back[2:] - box[2:]) <= line).all() and abs(back[0] - box[0]) <= line[0]
    region = highdicom.sr.ComprehensiveSR.from_dataset(
        read_back(report, tmp_path)
    ).content.get_planar_roi_measurement_groups()[0]
    assert np.allclose(region.roi.value[:, :2], corners, atol=0.01)


def test_an_outline_goes_around_what_is_bright():
    shown = np.zeros((100, 200), dtype=np.float32)
    shown[20:60, 50:90] = 2.0
    (line,) = film_marks.outline_of(shown, (1000, 1000))
    assert np.allclose(line[0], line[-1])
    assert np.abs(np.concatenate([line.min(axis=0), line.max(axis=0)]) - [250, 200, 450, 600]).max() <= 8
    assert film_marks.outline_of(np.zeros((9, 9), dtype=np.float32), (9, 9)) == ()


def test_a_side_is_said_where_a_box_lies_on_one():
    thorax = Thorax(np.array([[20.0, 10], [180, 10], [180, 190], [20, 190], [20, 10]]), 0.9)
    sides = [
        film_marks.side_of(np.array(box, dtype=float), thorax)
        for box in ((30, 30, 70, 70), (120, 30, 170, 70), (60, 30, 140, 70), (30, 30, 102, 70))
    ]
    assert sides == ["right", "left", None, "right"]


# --- whose they are -------------------------------------------------------------------------------------------------
def test_the_same_films_give_the_same_uids_and_a_renamed_patient_or_another_model_others(tmp_path):
    def uids(head=HEAD, **identity) -> set[str]:
        path = tmp_path / "film.dcm"
        path.write_bytes(dicom(film(4), 4, **identity))
        films = {"a": looked(path, identified=True)}
        found, lack = ObjectMaker(head, (SR, GSPS), None).make(answer(films), [(path, "a", films["a"])])
        assert lack is None
        read = [read_back(one, tmp_path) for one in found]
        return {one.SOPInstanceUID for one in read} | {one.SeriesInstanceUID for one in read}

    first = uids()
    assert len(first) == 4 and uids() == first
    other = {**HEAD, "model": {**HEAD["model"], "ensemble": "a" * 32}}
    assert not first & uids(other) and not first & uids(PatientName="NEW^NAME")


def test_modules_are_copied_by_name_and_nothing_else_of_the_header(tmp_path):
    identity = {
        "PatientName": "LAVOIE^ANNE-ÉLISE",
        "PatientID": "TREM 5403",
        "PatientBirthDate": "19540312",
        "AccessionNumber": "A123",
        "StudyID": "S1",
        "StudyTime": "101112",
        "StudyDescription": "Thorax",
        "ReferringPhysicianName": "DOC^TOR",
        "SpecificCharacterSet": "ISO_IR 100",
    }
    kept_out = dict.fromkeys(
        ("InstitutionName", "PatientAddress", "PatientComments", "OperatorsName", "StationName"), "ZQXWORDS"
    )
    path = tmp_path / "film.dcm"
    path.write_bytes(dicom(film(4), 4, **identity, **kept_out))
    films = {"a": looked(path, identified=True)}
    source = pydicom.dcmread(path)
    for one in made({"a": path}, films, answer(films)):
        copy = read_back(one, tmp_path)
        for name in (*PATIENT, *STUDY):
            assert copy.get(name) == source.get(name) or not source.get(name), name
        assert b"ZQX" not in one.content


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"StudyInstanceUID": ""}, "no_uid"),
        ({"SeriesInstanceUID": "nonsense"}, "no_uid"),
        ({"PatientID": "OTHER"}, "several_studies"),
    ],
)
def test_where_nothing_can_be_filed_the_answer_says_why(tmp_path, change, reason):
    paths = {"a": tmp_path / "a.dcm", "b": tmp_path / "b.dcm"}
    paths["a"].write_bytes(dicom(film(4), 4, study=1, **PATIENT_ID))
    paths["b"].write_bytes(dicom(film(5), 5, study=1, **{**PATIENT_ID, **change}))
    films = {name: looked(path, identified=True) for name, path in paths.items()}
    found, lack = ObjectMaker(HEAD, (SR, GSPS), None).make(answer(films), [(paths[n], n, films[n]) for n in paths])
    assert (found, lack["reason"]) == ([], reason)
    assert all(lack.values())


def test_a_film_that_was_written_anew_and_a_picture_without_header_get_none(tmp_path):
    from radia_pipeline.dicom import png16

    path = tmp_path / "film"
    for first, second, reason in (
        (dicom(film(4), 4), dicom(film(5), 4), "changed"),
        (png16.encode(film(4)), png16.encode(film(4)), "not_dicom"),
    ):
        path.write_bytes(first)
        films = {"a": looked(path)}
        path.write_bytes(second)
        found, lack = ObjectMaker(HEAD, (SR,), None).make(answer(films), [(path, "a", films["a"])])
        assert (found, lack["reason"]) == ([], reason)


def test_a_header_with_values_that_are_none_is_left_empty_there(tmp_path):
    odd = {"PatientSex": "Z", "PatientAge": "old"}
    path = tmp_path / "film.dcm"
    with pytest.warns(UserWarning):
        data = dicom(film(4), 4, **odd)
    data = data.replace(b"20220202", b"yyyy0202")
    path.write_bytes(data)
    films = {"a": looked(path, identified=True)}
    for one in made({"a": path}, films, answer(films)):
        copy = read_back(one, tmp_path)
        assert not copy.PatientSex and not copy.StudyDate and "PatientAge" not in copy


def test_written_objects_are_their_owners_alone(tmp_path):
    paths = pair(tmp_path)
    films = {name: looked(path) for name, path in paths.items()}
    told = write_objects(tmp_path / "out", 7, made(paths, films, answer(films)))
    files = sorted((tmp_path / "out").iterdir())
    assert [one["kind"] for one in told] == [SR, GSPS, GSPS]
    assert [file.name for file in files] == [
        "study_00007_film_1_gsps.dcm",
        "study_00007_film_2_gsps.dcm",
        "study_00007_sr.dcm",
    ]
    assert {stat.S_IMODE(file.stat().st_mode) for file in files} == {0o600}


# --- codes ----------------------------------------------------------------------------------------------------------
def test_codes_of_the_standard_are_in_the_standard_and_no_code_says_two_things():
    found = dicom_codes()
    said = [*found.classes.values(), *found.concepts.values(), *(site.code for site in found.site_of.values() if site)]
    for code in said:
        if code.scheme != OWN:
            known = {getattr(getattr(codes, code.scheme), name).value for name in getattr(codes, code.scheme).dir()}
            assert code.value in known, code
    assert all(len(name) <= 16 for name in DOUBTS), "a flag's name is its code"
    assert set(found.classes) == set(vocabulary().classes)


def test_a_table_of_codes_that_cannot_be_sent_is_refused():
    def content() -> dict:
        return read_yaml(contracts_root() / "dicom_codes.yaml")

    for spoil in (
        lambda all_: all_["classes"].pop("Mass"),
        lambda all_: all_["classes"]["Mass"].update(code=[OWN, "much_too_long_a_value", "Mass"]),
        lambda all_: all_["classes"]["Mass"].update(code=[OWN, "mass", "Masse à gauche"]),
        lambda all_: all_["classes"]["Mass"].update(site="elbow"),
        lambda all_: all_["classes"]["Mass"].update(code=all_["classes"]["Nodule"]["code"]),
    ):
        spoiled = content()
        spoil(spoiled)
        with pytest.raises(BadTable):
            codes_of(spoiled)


def test_kinds_are_told_apart_by_name():
    assert kinds_of("gsps, sr") == (SR, GSPS) and kinds_of("sr") == (SR,)
    for words in ("", "sr,seg", "SR"):
        with pytest.raises((UnknownName, BadInput)):
            kinds_of(words)
