"""Ours inside albumentations.Compose: the same to the bit, boxes with it; what a recipe adds is the library's own."""

from __future__ import annotations

import inspect
from concurrent.futures import ThreadPoolExecutor

import albumentations
import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from radia_pipeline.errors import BadInput, BadRecipe
from radia_pipeline.training import augmentation
from radia_pipeline.training.composed import Augmenter
from radia_pipeline.training.further import FURTHER, SETTLED
from radia_pipeline.training.loader import BatchLoader
from radia_pipeline.training.recipe_schema import AugmentationSection
from radia_pipeline.training.sampler import generator
from radia_pipeline.training.studies import pool_studies, read_manifest
from radia_pipeline_tests.training.synthetic import tiny_recipe, write_lake
from radia_pipeline_tests.training.test_images import packed_images

FIVE = {"affine": {"p": 1}, "jitter": {"p": 1}, "flip": {"p": 0.5}, "grid": {"p": 1}, "elastic": {"p": 1}}
ALSO = [{"RandomGamma": {"p": 1}}, {"GaussNoise": {"p": 0.7}}, {"CoarseDropout": {"p": 0.5}}]
NEEDED = {"CropAndPad": {"px": 3}}
"""What a transform does not do without."""


def section(**parts) -> AugmentationSection:
    return AugmentationSection.model_validate(parts)


def noise(size: int = 48) -> np.ndarray:
    return np.random.default_rng(0).random((size, size), dtype=np.float32)


@given(st.integers(0, 2**32 - 1))
def test_inside_compose_ours_is_the_same_to_the_bit(seed):
    whole, image = section(**FIVE), noise()
    alone = augmentation.apply(image, augmentation.draw(generator(seed), whole, 48), whole)
    assert np.array_equal(Augmenter(whole)(image, generator(seed), None), alone)


def test_what_is_added_changes_nothing_of_what_ours_draws():
    image, darker = noise(), section(**FIVE, also=[{"InvertImg": {"p": 1}}])
    plain = Augmenter(section(**FIVE))(image, generator(1), None)
    assert np.allclose(Augmenter(darker)(image, generator(1), generator(2)), 1 - plain, atol=1e-6)


def test_channels_first_pictures_are_refused_although_the_library_takes_them():
    channels_first = np.zeros((1, 32, 32), dtype=np.float32)
    albumentations.Compose([albumentations.RandomGamma(p=1)])(image=channels_first)  # says nothing
    with pytest.raises(BadInput, match="channels come later"):
        Augmenter(section())(channels_first, generator(0), None)


# --- boxes ----------------------------------------------------------------------------------------------------------
@given(st.integers(0, 2**32 - 1))
def test_boxes_follow_an_affine_exactly(seed):
    """Against the corners through the matrix itself, centres of pixels half a pixel from their edges."""
    moving = section(affine={"p": 1, "rotate_deg": 20}, flip={"p": 0.5})
    boxes = np.array([[20, 25, 30, 32], [28, 22, 40, 44]], dtype=float)
    drawn = augmentation.draw(generator(seed), moving, 64)
    _, found, kept = Augmenter(moving, kept_share=0.01).with_boxes(noise(64), boxes, generator(seed), None)
    matrix = np.array([[-1.0, 0, 63], [0, 1, 0], [0, 0, 1]]) @ drawn.forward if drawn.is_flipped else drawn.forward
    for at, which in enumerate(kept):
        left, top, right, bottom = boxes[which] - 0.5
        corners = np.array([[left, top, 1], [right, top, 1], [left, bottom, 1], [right, bottom, 1]]) @ matrix.T
        wanted = np.concatenate([corners[:, :2].min(axis=0), corners[:, :2].max(axis=0)]) + 0.5
        assert np.allclose(found[at], wanted.clip(0, 64), atol=1e-4)


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_boxes_follow_grid_and_elastic_distortion(seed):
    bent = section(**{**FIVE, "jitter": {"p": 0}, "affine": {"p": 0}})
    bent = bent.model_copy(update={"elastic": bent.elastic.model_copy(update={"alpha": 120.0, "sigma": 9.0})})
    grey = np.zeros((128, 128), np.float32)
    grey[50:76, 40:80] = 1
    random = generator(seed)
    moved, found, kept = Augmenter(bent, kept_share=0.9).with_boxes(grey, np.array([[40.0, 50, 80, 76]]), random, None)
    if len(kept):
        rows, columns = np.nonzero(moved > 0.5)
        seen = [columns.min(), rows.min(), columns.max() + 1, rows.max() + 1]
        assert np.abs(found[0] - seen).max() <= 1.75


# --- what a recipe adds ---------------------------------------------------------------------------------------------
@pytest.mark.parametrize("name", list(FURTHER))
def test_names_parameters_and_defaults_are_the_librarys(name):
    known = inspect.signature(getattr(albumentations, name).__init__).parameters
    offered = FURTHER[name].options
    assert set(known) - {"self"} - SETTLED <= set(offered) <= set(known)
    assert {key: option.default for key, option in offered.items()} == {key: known[key].default for key in offered}
    assert FURTHER[name].p == known["p"].default
    moves_points = issubclass(getattr(albumentations, name), albumentations.DualTransform) and "interpolation" in known
    assert FURTHER[name].moves == moves_points


@pytest.mark.parametrize("name", list(FURTHER))
def test_each_changes_a_grey_picture_and_is_replayed_whatever_came_before(name):
    options = {**NEEDED.get(name, {}), "p": 1}
    if name == "Affine":
        options["rotate"] = 10
    one = section(also=[{name: options}])
    image = cv2.GaussianBlur(noise(64), (0, 0), 1.5)
    image = ((image - image.min()) / (image.max() - image.min())).astype(np.float32)
    used, fresh = Augmenter(one), Augmenter(one)
    for seed in range(3):
        used(image, generator(seed), generator(seed))
    found = used(image, generator(7), generator(8))
    assert np.array_equal(found, fresh(image, generator(7), generator(8)))
    assert found.shape == image.shape and found.dtype == np.float32
    assert found.min() >= 0 and found.max() <= 1
    assert not np.array_equal(found, image)


def test_what_only_the_library_can_refuse_is_a_bad_recipe():
    with pytest.raises(BadRecipe, match=r"CropAndPad refuses .* docs/augmentations\.md"):
        Augmenter(section(also=[{"CropAndPad": {}}]))


@pytest.fixture(scope="module")
def batches(tmp_path_factory):
    """A maker of loaders over one lake, for a recipe that adds to the five."""
    lake = write_lake(tmp_path_factory.mktemp("composed"), patients=40)
    recipe = tiny_recipe(augmentation={**FIVE, "also": ALSO}, training={"batch_size": 4})
    manifest, packed = read_manifest(lake, None)[0], packed_images(lake)
    studies = pool_studies(manifest, recipe, "train", packed.row_of_image)
    return lambda workers: BatchLoader(studies, packed, recipe, workers=workers)


def test_batches_do_not_depend_on_the_number_of_threads_nor_on_where_an_epoch_is_entered(batches):
    alone = [batch.images.numpy() for batch in batches(1).training(3)]
    many = [batch.images.numpy() for batch in batches(6).training(3)]
    assert len(alone) > 2
    assert all(np.array_equal(one, other) for one, other in zip(alone, many, strict=True))
    entered = [batch.images.numpy() for batch in batches(3).training(3, first_step=2)]
    assert all(np.array_equal(one, other) for one, other in zip(alone[2:], entered, strict=True))
    assert not np.array_equal(alone[0], next(batches(1).training(4)).images.numpy())


def test_threads_that_share_a_loader_do_not_share_what_was_drawn(batches):
    loader, indices = batches(1), np.arange(4)
    alone = loader.build(indices, indices, 0).images.numpy()
    with ThreadPoolExecutor(8) as pool:
        for found in pool.map(lambda _: loader.build(indices, indices, 0).images.numpy(), range(16)):
            assert np.array_equal(found, alone)
