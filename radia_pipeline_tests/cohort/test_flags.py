"""Flags of images: lists in chunks, empty and null ones among them."""

from __future__ import annotations

import pyarrow as pa
import pytest

from radia_pipeline.cohort.flags import LEFT_OUT, is_flagged
from radia_pipeline.dicom.pixel_checks import FLAGS


@pytest.mark.parametrize(
    ("name", "expected"),
    [("blank", [False, True, False, True, False]), ("rotated", [False, False, False, True, False])],
)
def test_a_flag_is_found_in_whatever_list_it_stands(name, expected):
    kind = pa.list_(pa.string())
    chunks = [pa.array([[], ["blank"]], kind), pa.array([None, ["rotated", "blank"], ["blanket"]], kind)]
    assert is_flagged(pa.chunked_array(chunks), name).tolist() == expected


def test_no_image_has_no_flag():
    assert is_flagged(pa.chunked_array([], pa.list_(pa.string())), "blank").tolist() == []


def test_what_is_left_out_are_flags_that_the_ingest_raises():
    assert set(LEFT_OUT) <= set(FLAGS)
