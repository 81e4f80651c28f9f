"""Keyed hashes: stable, separate by kind and source, bound to the lake; pixels hash by value."""

from __future__ import annotations

import numpy as np
import pytest

from radia_pipeline.errors import BadInput, DamagedFile, KeyMismatch
from radia_pipeline.lake.hashing import pixel_sha256
from radia_pipeline.lake.keys import KEY_VARIABLE, DemoKeyWarning, Pseudonymizer
from radia_pipeline.lake.lake import Lake


@pytest.fixture
def lake(tmp_path):
    return Lake.open(tmp_path / "lake")


def test_ids_differ_by_kind_source_value_and_key():
    one, other = Pseudonymizer(b"a" * 20), Pseudonymizer(b"b" * 20)
    ids = {
        one.patient_key("ccsmtl", "1"),
        one.study_id("ccsmtl", "1"),
        one.image_id("ccsmtl", "1"),
        one.patient_key("nih_cxr14", "1"),
        one.patient_key("ccsmtl", "2"),
        other.patient_key("ccsmtl", "1"),
    }
    assert len(ids) == 6
    assert all(len(i) == 32 for i in ids)
    assert one.patient_key("ccsmtl", "1") == Pseudonymizer(b"a" * 20).patient_key("ccsmtl", "1")


@pytest.mark.parametrize("kind", ["patient_key", "study_id", "image_id", "file_id"])
def test_every_kind_of_id_depends_on_its_source_and_its_value(kind):
    of = getattr(Pseudonymizer(b"a" * 20), kind)
    assert len({of("ccsmtl", "1"), of("nih_cxr14", "1"), of("ccsmtl", "2")}) == 3


def test_parts_cannot_run_into_each_other():
    keys = Pseudonymizer(b"a" * 20)
    assert keys.patient_key("ab", "c") != keys.patient_key("a", "bc")


def test_without_a_key_the_demo_key_is_announced(lake, monkeypatch):
    monkeypatch.delenv(KEY_VARIABLE, raising=False)
    with pytest.warns(DemoKeyWarning, match="public demo key"):
        Pseudonymizer.from_environment(lake)


def test_a_changed_key_is_refused(lake, monkeypatch):
    monkeypatch.setenv(KEY_VARIABLE, "the hospital's first key")
    first = Pseudonymizer.from_environment(lake)
    assert Pseudonymizer.from_environment(lake).fingerprint == first.fingerprint
    monkeypatch.setenv(KEY_VARIABLE, "the hospital's other key")
    with pytest.raises(KeyMismatch, match="another one"):
        Pseudonymizer.from_environment(lake)
    assert "first key" not in (lake.root / "key_fingerprint.txt").read_text()


def test_a_short_key_is_refused(lake, monkeypatch):
    monkeypatch.setenv(KEY_VARIABLE, "short")
    with pytest.raises(BadInput, match="16 characters"):
        Pseudonymizer.from_environment(lake)


def test_pixels_hash_by_value_and_shape_not_by_type():
    pixels = np.arange(12).reshape(3, 4)
    same = [pixels.astype(kind) for kind in (np.uint8, np.int16, ">u2", np.int64)]
    assert len({pixel_sha256(array) for array in same}) == 1
    assert pixel_sha256(pixels) != pixel_sha256(pixels.reshape(4, 3))
    assert pixel_sha256(pixels) != pixel_sha256(pixels + 1)
    assert pixel_sha256(np.asfortranarray(pixels)) == pixel_sha256(pixels)


def test_a_damaged_fingerprint_is_named_and_is_no_other_key(tmp_path):
    lake = Lake.open(tmp_path / "lake")
    keys = Pseudonymizer(b"0123456789abcdef0123456789abcdef")
    keys.bind(lake)
    path = lake.root / "key_fingerprint.txt"
    path.write_bytes(b"\xff\x00")
    with pytest.raises(DamagedFile, match="delete it: it is written anew"):
        keys.bind(lake)
    path.unlink()
    keys.bind(lake)
    assert path.read_text().strip() == keys.fingerprint
