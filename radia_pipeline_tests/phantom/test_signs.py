"""Each sign is where its box says, can be seen, and looks as its disease does."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from radia_pipeline.contracts.vocabulary import vocabulary
from radia_pipeline.phantom.canvas import generator
from radia_pipeline.phantom.frontal_signs import PAINTERS
from radia_pipeline.phantom.lateral import PAINTERS as LATERAL
from radia_pipeline.phantom.radiograph import Film, take
from radia_pipeline.phantom.signs import ORDER, PLACING, draw_signs, drawn, undrawn

DARKER = ("Emphysema",)
"""Air where tissue was; every other sign is denser than what it replaces."""
MIXED = ("Fracture", "Hernia", "Pneumothorax")
"""Bright and dark side by side: callus and gap, fluid and air, fallen lung and free air."""


def film_of(names: set[str], seed: int, view: str = "PA", size_px: int = 192) -> Film:
    signs = tuple(draw_signs(names, generator(seed, "signs", *sorted(names))))
    return Film(view, seed, seed + 1, seed % 2 == 0, 60, signs, size_px)


def change_in_boxes(film: Film) -> tuple[float, float]:
    """Mean signed and mean absolute difference of grey in the boxes against the same person without the signs."""
    with_sign, without = take(film), take(replace(film, signs=()))
    difference = with_sign.grey - without.grey
    patches = []
    for _, (x, y, width, height) in with_sign.boxes:
        patches.append(difference[int(y) : int(y + height), int(x) : int(x + width)].ravel())
    values = np.concatenate(patches)
    return float(values.mean()), float(np.abs(values).mean())


def test_every_sign_is_painted_and_is_a_pathology():
    assert set(PAINTERS) == set(ORDER) == set(PLACING) == set(drawn())
    assert set(drawn()) | set(undrawn()) == set(vocabulary().pathologies)


def test_a_pathology_without_a_sign_is_drawn_as_nothing():
    rng = np.random.default_rng(0)
    assert [sign.name for sign in draw_signs({"Silicosis", "Mass"}, rng)] == ["Mass"]
    assert draw_signs({"Silicosis"}, rng) == []


@pytest.mark.parametrize("name", sorted(PAINTERS))
def test_a_sign_changes_what_is_in_its_box(name):
    signed, absolute = np.mean([change_in_boxes(film_of({name}, seed)) for seed in range(6)], axis=0)
    assert absolute > 0.02
    if name in DARKER:
        assert signed < -0.02
    elif name not in MIXED:
        assert signed > 0.02


@pytest.mark.parametrize("name", sorted(PAINTERS))
def test_a_sign_changes_little_outside_its_box(name):
    """What lies outside the boxes changes less than what lies inside, so that a box is where to look."""
    inside, outside = [], []
    for seed in range(4):
        film = film_of({name}, seed)
        with_sign = take(film)
        difference = np.abs(with_sign.grey - take(replace(film, signs=())).grey)
        mask = np.zeros(difference.shape, dtype=bool)
        for _, (x, y, width, height) in with_sign.boxes:
            mask[int(y) : int(np.ceil(y + height)), int(x) : int(np.ceil(x + width))] = True
        inside.append(difference[mask].mean())
        outside.append(difference[~mask].mean())
    assert np.mean(inside) > 3 * np.mean(outside)


@pytest.mark.parametrize("name", sorted(LATERAL))
def test_a_lateral_sign_shows_in_its_box(name):
    films = [film_of({name}, seed, "LATERAL") for seed in range(4)]
    assert np.mean([change_in_boxes(film)[1] for film in films]) > 0.02


@settings(max_examples=30, deadline=None)
@given(
    names=st.sets(st.sampled_from(sorted(PAINTERS)), max_size=4),
    seed=st.integers(0, 10_000),
    view=st.sampled_from(["PA", "AP", "LATERAL"]),
)
def test_boxes_lie_inside_the_image_and_name_what_was_asked_for(names, seed, view):
    radiograph = take(film_of(names, seed, view, size_px=96))
    height, width = radiograph.grey.shape
    assert {name for name, _ in radiograph.boxes} <= names
    assert radiograph.grey.min() >= 0 and radiograph.grey.max() <= 1
    for _, (x, y, w, h) in radiograph.boxes:
        assert x >= 0 and y >= 0 and x + w <= width and y + h <= height and w >= 2 and h >= 2


@pytest.mark.parametrize("name", sorted(PAINTERS))
def test_every_sign_has_a_box_on_the_frontal_film(name):
    for seed in range(8):
        assert any(found == name for found, _ in take(film_of({name}, seed)).boxes)


def test_an_enlarged_heart_is_wider_than_half_the_chest_and_a_normal_one_is_not():
    def heart_width(names):
        radiographs = [take(film_of(names | {"Cardiomegaly"}, seed, size_px=320)) for seed in range(5)]
        return np.mean(
            [box[2] / r.grey.shape[1] for r in radiographs for name, box in r.boxes if name == "Cardiomegaly"]
        )

    chest = 0.72
    assert heart_width(set()) / chest > 0.52


def test_a_nodule_is_smaller_than_a_mass():
    def side(name):
        return np.mean([box[2] for seed in range(8) for _, box in take(film_of({name}, seed)).boxes])

    # 3 cm is the border (Fleischner Society glossary, 2008); a chest of 0.72 units is about 32 cm wide.
    border_px = 3 / 32 * 0.72 * 192
    assert side("Nodule") < border_px < side("Mass")


def test_nothing_shows_beyond_a_pleural_line():
    film = film_of({"Pneumothorax"}, 4, size_px=320)
    healthy, ill = take(replace(film, signs=())), take(film)
    (_, (x, y, width, height)) = ill.boxes[0]
    side = film.signs[0].side
    edge = slice(int(x), int(x + 0.25 * width)) if side < 0 else slice(int(x + 0.75 * width), int(x + width))
    rows = slice(int(y + 0.35 * height), int(y + 0.7 * height))
    assert ill.grey[rows, edge].mean() < healthy.grey[rows, edge].mean() - 0.03
