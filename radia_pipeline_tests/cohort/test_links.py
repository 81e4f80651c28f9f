"""Links: same pixels across sources, dropped duplicates, near-duplicates, and strangers that are not linked."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from radia_pipeline.cohort import near_duplicates as near
from radia_pipeline.cohort.links import build_image_links
from radia_pipeline.errors import MissingTable
from radia_pipeline_tests.cohort.lakes import KEYS, image_row, new_lake, put_images


def picture(seed: int, side: int = 256) -> np.ndarray:
    """Return an invented exposure: two dark lungs, a heart and blobs of every size, different for each seed."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:side, :side] / side
    image = 0.7 - 0.4 * np.exp(-(((x - 0.3) / 0.13) ** 2 + ((y - 0.5) / 0.3) ** 2))
    image -= 0.4 * np.exp(-(((x - 0.7) / 0.13) ** 2 + ((y - 0.5) / 0.3) ** 2))
    for sigma, strength in ((24, 4.0), (10, 1.6), (4, 0.5), (1.5, 0.12)):
        image += strength * cv2.GaussianBlur(rng.standard_normal((side, side)), (0, 0), sigma)
    image = (image - image.min()) / np.ptp(image)
    return (image * 65535).astype(np.uint16)


def store(lake, source: str, name: str, patient: str, image: np.ndarray, **changes) -> dict:
    """Write a picture into the lake and return its row."""
    row = image_row(source, name, patient, width_px=image.shape[1], height_px=image.shape[0], **changes)
    path = lake.root / row["path"]
    path.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(path), image)
    return row


def copies(image: np.ndarray) -> dict[str, np.ndarray]:
    eight = (image // 257).astype(np.uint8)
    low, high = np.percentile(image, [5, 97])
    cut = round(0.02 * image.shape[0])
    return {
        "resized": cv2.resize(image, (190, 230), interpolation=cv2.INTER_AREA),
        "encoded": cv2.imdecode(cv2.imencode(".jpg", eight, [cv2.IMWRITE_JPEG_QUALITY, 60])[1], cv2.IMREAD_GRAYSCALE),
        "windowed": (np.clip((image - low) / (high - low), 0, 1) * 255).astype(np.uint8),
        "cropped": image[cut:-cut, cut:-cut],
        "cropped in a corner": image[cut:, cut:],
    }


def test_same_pixels_and_dropped_duplicates_are_linked_without_looking_at_files(tmp_path):
    lake = new_lake(tmp_path)
    put_images(lake, "ccsmtl", [image_row("ccsmtl", "a", "p1", pixels="x"), image_row("ccsmtl", "b", "p2")])
    put_images(
        lake,
        "nih_cxr14",
        [image_row("nih_cxr14", "a", "p1", pixels="x"), image_row("nih_cxr14", "c", "p3", pixels="x")],
    )
    duplicate = {
        "source": "ccsmtl", "file_id": "b" * 32, "file_sha256": "a" * 64, "delivered_path": "x", "kind": "same_pixels",
        "kept_image_id": KEYS.image_id("ccsmtl", "b"), "patient_key": KEYS.patient_key("ccsmtl", "p19"),
        "study_id": None,
        "pixel_sha256": "a" * 64,
    }  # fmt: skip
    own = {**duplicate, "file_id": "c" * 32, "patient_key": KEYS.patient_key("ccsmtl", "p2")}
    lost = {**duplicate, "file_id": "d" * 32, "patient_key": None}
    lake.write("duplicates", [duplicate, own, lost], "ccsmtl")
    result = build_image_links(lake)
    assert result.kinds == {"same_pixels": 2, "dropped_duplicate": 1}
    assert (result.across_sources, result.unreadable) == (2, 4)
    assert result.problems == {"duplicates_without_patient_or_image": 1}
    assert result.sources == ("ccsmtl", "nih_cxr14")


def test_altered_copies_are_linked_across_sources_and_strangers_are_not(tmp_path):
    lake = new_lake(tmp_path)
    original = picture(0)
    mine = [store(lake, "ccsmtl", "a", "p0", original)]
    mine += [store(lake, "ccsmtl", f"s{seed}", f"p{seed}", picture(seed)) for seed in range(1, 12)]
    put_images(lake, "ccsmtl", mine)
    changed = [store(lake, "nih_cxr14", name, f"q {name}", image) for name, image in copies(original).items()]
    put_images(lake, "nih_cxr14", changed)
    result = build_image_links(lake)
    rows = lake.read("image_links").to_pylist()
    found = {row["image_id_b"] for row in rows if row["image_id_a"] == KEYS.image_id("ccsmtl", "a")}
    assert found == {row["image_id"] for row in changed}
    strangers = {KEYS.image_id("ccsmtl", f"s{seed}") for seed in range(1, 12)}
    assert not strangers & {row[end] for row in rows for end in ("image_id_a", "image_id_b")}
    assert build_image_links(lake).version == result.version


def test_one_patients_repeats_and_blank_images_are_not_linked(tmp_path):
    lake = new_lake(tmp_path)
    image = picture(3)
    rows = [store(lake, "ccsmtl", "a", "p1", image), store(lake, "ccsmtl", "b", "p1", copies(image)["resized"])]
    rows += [
        store(lake, "ccsmtl", f"blank {n}", f"p{n}", np.full((64, 64), n, np.uint16), flags=["blank"]) for n in (5, 6)
    ]
    put_images(lake, "ccsmtl", rows)
    assert build_image_links(lake).links == 0


def test_thumbnails_are_made_again_when_a_file_changes_and_when_the_cache_is_damaged(tmp_path):
    lake = new_lake(tmp_path)
    one, other = picture(1), picture(2)
    put_images(lake, "ccsmtl", [store(lake, "ccsmtl", "a", "p1", one)])
    put_images(lake, "nih_cxr14", [store(lake, "nih_cxr14", "b", "p2", other)])
    assert build_image_links(lake).links == 0
    store(lake, "nih_cxr14", "b", "p2", copies(one)["resized"])
    assert build_image_links(lake).links == 1
    (lake.packed_dir / "thumbnails" / "ccsmtl.npz").write_bytes(b"damaged")
    assert build_image_links(lake).links == 1


def test_no_images_at_all_is_a_clear_error(tmp_path):
    with pytest.raises(MissingTable, match="images"):
        build_image_links(new_lake(tmp_path))


def test_the_hash_does_not_see_monotone_windows_and_every_pair_is_compared():
    image = picture(4).astype(np.float32)
    assert near.hashes(near.thumbnail(image)[None])[0] @ near.hashes(near.thumbnail(np.sqrt(image))[None])[0] > 0.98
    vectors = near.hashes(np.stack([near.thumbnail(image)] * 5))
    pairs = [(int(a), int(b)) for first, second in near.candidates(vectors) for a, b in zip(first, second)]
    assert sorted(pairs) == [(a, b) for a in range(5) for b in range(a + 1, 5)]
    assert not near.hashes(np.zeros((1, 64, 64), np.uint8)).any()


@pytest.mark.slow
def test_real_radiographs_of_different_patients_are_not_linked(real_root: Path):
    from radia_pipeline.sources.nih_cxr14 import NihCxr14

    root = real_root / "nih_cxr14"
    facts = NihCxr14().facts(root)
    paths = [root / path for path in sorted(facts)]
    patients = np.array([facts[path].native_patient_id for path in sorted(facts)])
    thumbnails = np.stack([near.thumbnail(near.read_grey(path)) for path in paths])
    first, second = near.search(thumbnails, lambda a, b: patients[a] != patients[b])
    assert near.confirm(paths, first, second) == []
