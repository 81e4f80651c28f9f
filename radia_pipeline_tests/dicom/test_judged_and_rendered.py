"""A file judged in memory, and pictures rendered: views by origin, flags in their order, greys and sizes by hand."""

from __future__ import annotations

import imagecodecs
import numpy as np
import pytest

from radia_pipeline.dicom import render
from radia_pipeline.dicom.facts import SECONDARY_CAPTURE, pixel_facts
from radia_pipeline.dicom.judgement import SETTLED, UNREAD_CAPTURE, Terms, judge
from radia_pipeline.dicom.pixel_checks import Remarks
from radia_pipeline.dicom.png16 import encode
from radia_pipeline.errors import DamagedFile, Refusal
from radia_pipeline.privacy import reasons
from radia_pipeline.privacy.container import parse
from radia_pipeline.privacy.limits import Limits
from radia_pipeline_tests.dicom import files

SOURCE = "ccsmtl"


def judged(terms: Terms | None = None, **tags: object):
    data = files.to_bytes(files.dataset(files.picture(1, (300, 280)), **tags))
    return judge(data, terms or Terms(SOURCE, reads_text=False))


@pytest.mark.parametrize(
    ("tags", "table_view", "found"),
    [
        ({}, None, ("PA", "header")),
        ({}, "AP", ("PA", "header")),
        ({"ViewPosition": ""}, "AP", ("AP", "table")),
        ({"ViewPosition": ""}, None, ("UNKNOWN", "none")),
        ({"ViewPosition": "", "PatientOrientation": ["A", "F"]}, "AP", ("LATERAL", "orientation")),
    ],
)
def test_the_header_is_asked_before_the_table(tags, table_view, found):
    one = judged(Terms(SOURCE, reads_text=False, table_view=table_view), **tags)
    assert (one.view, one.view_origin) == found


@pytest.mark.parametrize(
    ("tags", "is_lateral", "found"),
    [
        ({"ViewPosition": ""}, True, ("LATERAL", "pixels")),
        ({"ViewPosition": ""}, False, ("UNKNOWN", "none")),
        ({"ViewPosition": "PA"}, True, ("PA", "header")),
        ({"ViewPosition": "", "PatientOrientation": ["L", "F"]}, True, ("UNKNOWN", "none")),
    ],
)
def test_pixels_say_lateral_at_most_and_last(tags, is_lateral, found):
    from radia_pipeline.dicom.judgement import _view

    parsed = parse(files.clean_file(**tags))
    assert _view(parsed, Remarks({}, (), is_lateral), None) == found
    assert _view(None, Remarks({}, (), True), None) == ("LATERAL", "pixels")
    assert _view(None, Remarks({}, (), True), "AP") == ("AP", "table")


def test_identifiers_picture_and_size_of_a_judged_file():
    one = judged(Terms(SOURCE, reads_text=False, max_side_px=150))
    assert one.native_ids == (f"{files.ROOT}1", f"{files.ROOT}71", "CC0001")
    assert one.image.shape == (150, 140)
    assert one.image.dtype == np.uint16
    assert (one.picture.bits_stored, one.picture.photometric) == (12, "MONOCHROME2")
    assert one.picture.transfer_syntax == files.EXPLICIT
    assert one.scores == one.remarks.scores
    assert judged(Terms(SOURCE, reads_text=False, is_listed=True)).native_ids is None
    assert judged(Terms(SOURCE, reads_text=False, is_identified=True)).native_ids is None
    assert judged().image.shape == (300, 280), "nothing is enlarged"


def test_flags_stand_in_the_order_of_pixels_header_print_and_silence():
    given = {"PatientAge": "095Y", "SOPClassUID": SECONDARY_CAPTURE, "ConversionType": "WSD"}
    flags = [flag for flag in judged(**given).flags if flag in ("age_capped", "secondary_capture", UNREAD_CAPTURE)]
    assert flags == ["age_capped", "secondary_capture", UNREAD_CAPTURE]
    settled = judged(Terms(SOURCE, reads_text=False, is_settled=True), **given)
    assert SETTLED in settled.flags
    assert UNREAD_CAPTURE not in settled.flags
    identified = judged(Terms(SOURCE, reads_text=False, is_identified=True), **given)
    assert UNREAD_CAPTURE not in identified.flags
    assert SETTLED not in judged().flags


def test_body_parts_of_the_header_are_asked():
    assert "not_a_chest" in judged(BodyPartExamined="KNEE").flags
    assert judged(BodyPartExamined="KNEE").scores["not_a_chest"] >= 0.9
    assert judged(AcquisitionDeviceProcessingDescription="CANINE").scores["not_a_chest"] == 1.0


@pytest.mark.parametrize(
    ("ratio", "shape"), [(1.0, (6, 8)), (2.0, (6, 4)), (0.5, (3, 8)), (100.0, (6, 1)), (0.001, (1, 8)), (1.3, (6, 6))]
)
def test_pixels_become_square_by_their_shorter_side(ratio, shape):
    shown = np.arange(48, dtype=np.float32).reshape(6, 8)
    found = render.squared(shown, ratio)
    assert found.shape == shape
    assert found.mean() == pytest.approx(shown.mean(), rel=1e-5)


def test_greys_of_a_raster_fill_the_range():
    wide = np.array([[0, 1, 65535]], np.uint16)
    found = render.picture_of_raster(encode(wide), "png")
    assert found.shown.tolist() == [[0, 1, 65535]]
    assert (found.bits_stored, found.photometric, found.window_center, found.window_width) == (16, None, None, None)
    narrow = np.array([[0, 1, 255]], np.uint8)
    found = render.picture_of_raster(imagecodecs.png_encode(narrow), "png")
    assert found.shown.tolist() == [[0, 257, 65535]]
    assert found.bits_stored == 8
    flat = np.full((16, 24), 77, np.uint8)
    jpeg = imagecodecs.jpeg8_encode(flat, level=100)
    assert render.picture_of_raster(jpeg, "jpeg").stored.tolist() == flat.tolist()
    for limits, passes in (
        (Limits(side_px=24), True),
        (Limits(side_px=23), False),
        (Limits(pixels=384), True),
        (Limits(pixels=383), False),
    ):
        if passes:
            assert render.picture_of_raster(jpeg, "jpeg", limits).stored.shape == (16, 24)
        else:
            with pytest.raises(Refusal) as caught:
                render.picture_of_raster(jpeg, "jpeg", limits)
            assert caught.value.reason == reasons.TOO_LARGE


def test_the_stored_image_is_rounded_and_as_large_as_allowed():
    shown = np.array([[0.4, 0.6], [2.5, 65535.0]], np.float32)
    assert render.stored_image(shown, 2).tolist() == [[0, 1], [2, 65535]]
    assert render.stored_image(shown, 1).tolist() == [[round(float(shown.mean()))]]


def test_a_delivered_file_is_rendered_at_full_size_or_told(tmp_path):
    pixels = files.picture(1, (60, 40))
    path = tmp_path / "one.dcm"
    path.write_bytes(files.to_bytes(files.dataset(pixels)))
    found = render.render_native(path)
    parsed = parse(path.read_bytes())
    expected = render.picture_of_dicom(parsed, pixel_facts(parsed)).shown
    assert (found == np.rint(expected)).all()
    assert found.shape == (60, 40)
    png = tmp_path / "one.png"
    png.write_bytes(encode(np.array([[1, 2]], np.uint16)))
    assert render.render_native(str(png)).tolist() == [[1, 2]]
    for name, content in (("empty", b""), ("text", b"no image at all"), ("cut", path.read_bytes()[:400])):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(DamagedFile):
            render.render_native(tmp_path / name)
    with pytest.raises(DamagedFile):
        render.render_native(tmp_path / "absent")
