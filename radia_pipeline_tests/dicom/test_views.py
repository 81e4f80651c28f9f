"""Views of a header: spellings, codes and directions of the patient's axes."""

from __future__ import annotations

import pytest
from pydicom.dataset import Dataset

from radia_pipeline.dicom import views


@pytest.mark.parametrize(
    ("spelling", "view"),
    [
        ("PA", "PA"), ("p.a.", "PA"), ("Chest PA erect", "PA"), ("POSTERO-ANTERIOR", "PA"), ("AP", "AP"),
        ("AP SUPINE PORTABLE", "AP"), ("antero_posterior", "AP"), ("LAT", "LATERAL"), ("Profil gauche", "LATERAL"),
        ("L LAT", "LATERAL"), ("LL", "LATERAL"), ("", "UNKNOWN"), ("PA LAT", "UNKNOWN"), ("OBLIQUE", "UNKNOWN"),
        ("CHEST", "UNKNOWN"),
    ],
)  # fmt: skip
def test_spellings_of_a_view(spelling, view):
    assert views.normalise(spelling) == view


def header(position: str = "", code: str = "", orientation: object = None) -> Dataset:
    ds = Dataset()
    ds.ViewPosition = position
    if code:
        item = Dataset()
        item.CodeValue = code
        ds.ViewCodeSequence = [item]
    if orientation is not None:
        ds.PatientOrientation = orientation
    return ds


@pytest.mark.parametrize(
    ("given", "found"),
    [
        (header("PA", "399348003", ["A", "F"]), ("PA", "header")),
        (header("", "399348003", ["A", "F"]), ("AP", "header")),
        (header("OTHER", "R-10236"), ("LATERAL", "header")),
        (header("", "272479007"), ("PA", "header")),
        (header("", "12345"), ("UNKNOWN", "none")),
        (header("", "", ["A", "F"]), ("LATERAL", "orientation")),
        (header("", "", ["PL", "F"]), ("LATERAL", "orientation")),
        (header("", "", ["L", "F"]), ("UNKNOWN", "none")),
        (header("", "", "A"), ("UNKNOWN", "none")),
        (header("", "", ["F", "A"]), ("UNKNOWN", "none")),
        (header(), ("UNKNOWN", "none")),
        (Dataset(), ("UNKNOWN", "none")),
    ],
)
def test_position_code_and_orientation_are_asked_in_this_order(given, found):
    assert views.view_of_header(given) == found


@pytest.mark.parametrize(
    ("directions", "lateral", "frontal"),
    [(["A", "F"], True, False), (["p", "f"], True, False), (["L", "F"], False, True), (["R", "F"], False, True),
     (["RP", "F"], False, True), (["H", "L"], False, False), ("L", False, False), (["L", "F", "A"], False, False)],
)  # fmt: skip
def test_rows_run_along_one_axis_of_the_patient(directions, lateral, frontal):
    given = header(orientation=directions)
    assert (views.is_lateral_orientation(given), views.is_frontal_orientation(given)) == (lateral, frontal)


def test_an_empty_code_sequence_says_nothing():
    given = header()
    given.ViewCodeSequence = []
    assert views.view_of_header(given) == ("UNKNOWN", "none")
