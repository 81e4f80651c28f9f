"""Pixels on their way to the model: letterbox and back, packing, augmentation that can be replayed."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from radia_pipeline.errors import BadInput, DamagedFile
from radia_pipeline.training import augmentation, packed
from radia_pipeline.training.inputs import empty_image, letterbox, placement, prepare, to_channels
from radia_pipeline.training.recipe_schema import AugmentationSection, InputSection
from radia_pipeline.training.sampler import generator
from radia_pipeline.training.studies import read_manifest
from radia_pipeline_tests.training.synthetic import write_lake

os.environ.setdefault("NO_ALBUMENTATIONS_UPDATE", "1")
WHOLE = AugmentationSection.model_validate(
    {"affine": {"p": 1}, "jitter": {"p": 1}, "flip": {"p": 0.5}, "grid": {"p": 1}, "elastic": {"p": 1}}
)


def smooth(size: int) -> np.ndarray:
    """(size, size) float32 in 0..1 without sharp edges."""
    import cv2

    field = cv2.GaussianBlur(np.random.default_rng(0).random((size, size), dtype=np.float32), (0, 0), size / 16)
    return (field - field.min()) / (field.max() - field.min())


@given(st.integers(1, 2000), st.integers(1, 2000), st.sampled_from([32, 224, 384]))
def test_boxes_return_to_where_they_came_from(height, width, size):
    where = placement(height, width, size)
    whole = where.to_stored(where.left_px, where.top_px, where.width_px, where.height_px)
    assert np.allclose(whole, (0, 0, width, height), atol=1 / where.scale)
    step = 10 * where.scale
    assert np.allclose(where.to_stored(where.left_px + step, where.top_px, step, step), (10, 0, 10, 10))
    assert max(where.width_px, where.height_px) == size
    assert where.left_px >= 0 and where.top_px >= 0


def test_letterbox_keeps_aspect_and_uses_the_whole_range():
    image = np.linspace(1000, 3000, 100 * 50).reshape(100, 50).astype(np.uint16)
    square = letterbox(image, 64)
    assert square.shape == (64, 64)
    assert (square[:, :16] == 0).all() and (square[:, 48:] == 0).all()
    assert square.max() == 65535
    assert (letterbox(image // 2, 64).astype(int) - square).max() < 100, "exposure must not matter"


def test_a_flat_image_is_an_empty_image():
    section = InputSection(size_px=32)
    assert np.array_equal(prepare(np.full((40, 40), 77, dtype=np.uint8), section), empty_image(section))


@pytest.mark.parametrize("shape", [(3, 8, 8), (8, 8, 3), (8,), (0, 8)])
def test_only_single_planes_are_accepted(shape):
    with pytest.raises(BadInput, match="Image of shape"):
        letterbox(np.zeros(shape, dtype=np.uint8), 32)


def test_clahe_channels_are_the_originals_three():
    section = InputSection(size_px=256, channels="clahe", normalisation="none")
    grey = smooth(256) * np.float32(0.3)
    planes = to_channels(grey, section)
    assert planes.shape == (3, 256, 256)
    assert np.array_equal(planes[0], grey)
    assert planes[0].std() < planes[1].std() < planes[2].std()


# --- augmentation ---------------------------------------------------------------------------------------------------
def test_augmentation_can_be_replayed_and_differs_between_samples():
    image = np.random.default_rng(0).random((48, 48), dtype=np.float32)
    results = []
    for parts in ((0, "sample", 1, 7), (0, "sample", 1, 7), (0, "sample", 2, 7)):
        drawn = augmentation.draw(generator(*parts), WHOLE, 48)
        results.append(augmentation.apply(image, drawn, WHOLE))
    assert np.array_equal(results[0], results[1])
    assert not np.array_equal(results[0], results[2])


def test_nothing_drawn_changes_nothing():
    image = np.random.default_rng(0).random((32, 32), dtype=np.float32)
    section = AugmentationSection()
    assert np.array_equal(augmentation.apply(image, augmentation.draw(generator(0), section, 32), section), image)


@given(st.integers(0, 500))
def test_augmented_images_keep_shape_type_and_range(seed):
    image = np.random.default_rng(seed).random((32, 32), dtype=np.float32)
    found = augmentation.apply(image, augmentation.draw(generator(seed), WHOLE, 32), WHOLE)
    assert found.shape == image.shape
    assert found.dtype == np.float32
    assert found.min() >= 0 and found.max() <= 1


def test_channels_first_arrays_are_refused():
    drawn = augmentation.draw(generator(0), WHOLE, 32)
    with pytest.raises(BadInput, match="channels come later"):
        augmentation.apply(np.zeros((1, 32, 32), dtype=np.float32), drawn, WHOLE)


def test_flip_and_affine_equal_albumentations():
    albumentations = pytest.importorskip("albumentations")
    image = smooth(64)
    section = AugmentationSection.model_validate({"flip": {"p": 1}})
    ours = augmentation.apply(image, augmentation.draw(generator(0), section, 64), section)
    assert np.allclose(ours, albumentations.HorizontalFlip(p=1)(image=image)["image"], atol=1e-6)
    turned = AugmentationSection.model_validate(
        {"affine": {"p": 1, "translate": 0, "shear_deg": 0, "scale": 0, "rotate_deg": 15}}
    )
    drawn = augmentation.draw(generator(3), turned, 64)
    degrees = np.degrees(np.arctan2(drawn.forward[1, 0], drawn.forward[0, 0]))
    theirs = albumentations.Affine(rotate=(degrees, degrees), p=1, border_mode=0, fill=0)(image=image)["image"]
    inside = (slice(8, -8), slice(8, -8))
    assert np.abs(augmentation.apply(image, drawn, turned)[inside] - theirs[inside]).mean() < 0.02


def test_grid_distortion_moves_cell_borders_where_it_says():
    section = AugmentationSection.model_validate({"grid": {"p": 1, "num_steps": 4, "distort_limit": 0.2}})
    image = np.tile(np.linspace(0, 1, 64, dtype=np.float32), (64, 1))
    drawn = augmentation.draw(generator(1), section, 64)
    found = augmentation.apply(image, drawn, section)
    inner = drawn.grid_x[1:-1]
    middle_row = int(np.clip(np.searchsorted(drawn.grid_y, 32) * 16 - 8, 0, 63))
    for cell, source in enumerate(inner, start=1):
        if source < 63:
            assert found[middle_row, cell * 16] == pytest.approx(source / 63, abs=0.02)


# --- packing --------------------------------------------------------------------------------------------------------
@pytest.fixture
def lake(tmp_path):
    return write_lake(tmp_path, patients=12)


def packed_images(lake):
    manifest, _ = read_manifest(lake, None)
    return packed.pack(lake, packed.wanted_of_manifest(lake, manifest), 32)


def test_packed_rows_are_the_letterboxed_images_and_are_made_once(lake):
    images = packed_images(lake)
    image_id, row = next(iter(images.row_of_image.items()))
    stored = lake.root / "packed" / "ccsmtl" / "32px" / "images.u16"
    before = stored.stat().st_mtime_ns
    assert images.read(row).shape == (32, 32)
    again = packed_images(lake)
    assert stored.stat().st_mtime_ns == before
    assert np.array_equal(again.read(again.row_of_image[image_id]), images.read(row))


def test_a_killed_packing_goes_on_where_it_stood(lake, monkeypatch):
    monkeypatch.setattr(packed, "CHUNK", 3)
    decode, calls = packed._decode, []

    def dies(item):
        calls.append(item)
        if len(calls) == 8:
            raise KeyboardInterrupt
        return decode(item)

    monkeypatch.setattr(packed, "_decode", dies)
    with pytest.raises(KeyboardInterrupt):
        packed_images(lake)
    done = len(calls)
    monkeypatch.setattr(packed, "_decode", lambda item: calls.append(item) or decode(item))
    images = packed_images(lake)
    assert len(calls) - done < len(images.row_of_image)
    for row in images.row_of_image.values():
        images.read(row)


def test_a_changed_image_is_packed_again(lake):
    packed_images(lake)
    manifest = lake.read("manifest").to_pylist()
    first = manifest[0]
    path = lake.root / first["path"]
    import cv2

    cv2.imwrite(str(path), np.eye(64, dtype=np.uint16) * 65535)
    changed = packed_images(lake)
    assert changed.read(changed.row_of_image[first["image_id"]]).diagonal().min() > 0


def test_rows_packed_by_an_earlier_release_are_not_packed_again(lake, monkeypatch):
    packed_images(lake)
    index = lake.packed_dir / "ccsmtl" / "32px" / "rows.parquet"
    rows = pq.read_table(index)
    pq.write_table(rows.add_column(1, "patient_key", pa.array(["0" * 32] * len(rows))), index)
    monkeypatch.setattr(packed, "_decode", None)
    images = packed_images(lake)
    assert len(images.row_of_image) == len(rows)


def pixels_file(lake) -> Path:
    return lake.root / "packed" / "ccsmtl" / "32px" / "images.u16"


def all_images(images) -> list[bytes]:
    return [images.read(row).tobytes() for row in sorted(images.row_of_image.values())]


def test_a_damaged_row_alone_is_packed_anew_and_said(lake):
    expected, said, path = all_images(packed_images(lake)), [], pixels_file(lake)
    content = bytearray(path.read_bytes())
    content[10] ^= 0xFF
    path.write_bytes(content)
    wanted = packed.wanted_of_manifest(lake, lake.read("manifest"))
    images = packed.open_packed(lake, wanted, 32, said.append)
    assert all_images(images) == expected
    assert said == [next(name for name, row in images.row_of_image.items() if row == 0)]
    assert path.read_bytes() != bytes(content)
    assert all_images(packed.open_packed(lake, wanted, 32, said.append)) == expected
    assert len(said) == 1, "it is mended in the file too"


@pytest.mark.parametrize("harm", ["cut", "gone", "index", "index gone"])
def test_what_is_cut_or_gone_is_packed_anew(lake, harm):
    expected, path = all_images(packed_images(lake)), pixels_file(lake)
    if harm == "cut":
        path.write_bytes(path.read_bytes()[: 32 * 32 * 2 * 3 + 5])
    elif harm == "gone":
        path.unlink()
    else:
        path = path.with_name("rows.parquet")
        path.write_bytes(path.read_bytes()[:-9]) if harm == "index" else path.unlink()
    assert sorted(all_images(packed_images(lake))) == sorted(expected)


def test_packed_data_of_another_version_of_the_preprocessing_is_packed_anew(lake):
    packed_images(lake)
    index = pixels_file(lake).with_name("rows.parquet")
    rows = pq.read_table(index)
    pq.write_table(rows.replace_schema_metadata({"radia.packing_version": "0"}), index)
    pixels_file(lake).write_bytes(b"")
    assert len(all_images(packed_images(lake))) == len(rows)
    assert pq.read_schema(index).metadata[b"radia.packing_version"] == str(packed.PACKING_VERSION).encode()


def test_packed_pixels_are_those_of_the_declared_version():
    """Other numbers here mean another PACKING_VERSION, and another TRAINING_VERSION."""
    ramp = (np.arange(24)[:, None] * 500 + np.arange(16) * 31).astype(np.uint16)
    kept, smaller = letterbox(ramp, 24), letterbox(ramp, 12)
    assert packed.PACKING_VERSION == 1
    assert (kept[0, 4], kept[23, 19], kept[10, 10], kept.sum(dtype=int)) == (0, 65535, 28405, 12582720)
    assert smaller.sum(dtype=int) == pytest.approx(3145680, rel=1e-3)


def test_absent_images_are_damage(lake):
    images = packed_images(lake)
    shutil.rmtree(lake.packed_dir)
    image_id = next(iter(images.row_of_image))
    row = next(row for row in lake.read("manifest").to_pylist() if row["image_id"] == image_id)
    (lake.root / row["path"]).unlink()
    with pytest.raises(DamagedFile, match=image_id):
        packed_images(lake)
