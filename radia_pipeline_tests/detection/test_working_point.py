"""Thresholds by class keep the stated rates of false boxes, on films that chose them and on fresh ones."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from radia_pipeline.detection.working_point import Films, Limits, chosen, thresholds_for
from radia_pipeline.localisation.boxes import Boxes

CLASSES = ("Cardiomegaly", "Mass", "Pleural Effusion")
FAINTEST = 0.05


def world(seed: int, films: int = 40, boxes: int = 200) -> tuple[Boxes, Films]:
    random = np.random.default_rng(seed)
    names = [f"film{number}" for number in range(films)]
    rows = [
        (names[random.integers(films)], CLASSES[random.integers(3)], (0, 0, 9, 9), round(float(random.random()), 2))
        for _ in range(boxes)
    ]
    return Boxes.of(rows), Films(names, random.random((films, 3)) < 0.7, random.random(films) < 0.5)


def false_boxes(found: Boxes, films: Films, cuts: tuple[float, ...]) -> list[float]:
    rates = []
    for column, name in enumerate(CLASSES):
        is_shown = (found.label == name) & (found.score > cuts[column])
        rows = [films.image_ids.index(image) for image in found.image_id[is_shown]]
        rates.append(films.absent[rows, column].sum() / max(films.absent[:, column].sum(), 1))
    return rates


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10_000), st.sampled_from([0.1, 0.5, 1.0, 2.0]))
def test_the_rate_is_kept_and_what_one_class_leaves_is_the_others(seed, rate):
    boxes, films = world(seed)
    cuts = thresholds_for(boxes, films, CLASSES, rate, FAINTEST)
    rates = false_boxes(boxes, films, cuts)
    assert sum(rates) <= rate + 1e-9
    assert min(cuts) >= FAINTEST
    if max(cuts) == FAINTEST:
        return
    tight = [one for one, cut in zip(rates, cuts) if cut > FAINTEST]
    assert min(tight) >= rate / 3 - 4 / min(films.absent.sum(axis=0)), "equal scores leave at most a few boxes unspent"


def test_a_class_that_makes_no_false_box_takes_the_lowest_threshold():
    boxes = Boxes.of([("a", "Mass", (0, 0, 9, 9), 0.9), ("b", "Cardiomegaly", (0, 0, 9, 9), 0.8)])
    films = Films(["a", "b"], np.array([[True, False, True], [True, True, True]]), np.ones(2, dtype=bool))
    cuts = thresholds_for(boxes, films, CLASSES, 0.1, FAINTEST)
    assert cuts[1] == cuts[2] == FAINTEST
    assert cuts[0] == pytest.approx(0.8, abs=1e-5)
    assert cuts[0] > 0.8


def test_a_class_that_is_nowhere_known_to_be_absent_shows_nothing():
    boxes, films = world(0)
    films.absent[:, 1] = False
    assert thresholds_for(boxes, films, CLASSES, 0.5, FAINTEST)[1] == 1.0
    assert chosen(boxes, films, CLASSES, Limits(0.5, 2.0, 3, FAINTEST))[1] == 1.0


def on_normal_films(
    boxes: Boxes, films: Films, cuts: tuple[float, ...], classes: tuple[str, ...] = CLASSES
) -> np.ndarray:
    """False boxes shown on each normal film."""
    place, column = ({name: number for number, name in enumerate(names)} for names in (films.image_ids, classes))
    row = np.array([place[image] for image in boxes.image_id])
    label = np.array([column[name] for name in boxes.label])
    is_shown = films.absent[row, label] & (boxes.score > np.array(cuts)[label])
    return np.bincount(row[is_shown], minlength=len(films.normal))[films.normal]


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10_000), st.sampled_from([0.3, 0.5, 1.0]), st.sampled_from([1, 3]))
def test_both_limits_are_kept_and_the_one_that_binds_is_used_up(seed, normal, most):
    boxes, films = world(seed)
    limits = Limits(normal, 2.0, most, FAINTEST)
    cuts = chosen(boxes, films, CLASSES, limits)
    counts = np.minimum(on_normal_films(boxes, films, cuts), most)
    every = sum(false_boxes(boxes, films, cuts))
    assert every <= limits.absent + 1e-9
    if every > normal:  # further than what is kept on all films alike: because normal films allow it
        assert (counts.sum() + most) / (len(counts) + 1) <= normal + 1e-9
    lower = thresholds_for(boxes, films, CLASSES, limits.absent, FAINTEST)
    assert all(cut >= other for cut, other in zip(cuts, lower))


def test_without_normal_films_the_rate_is_kept_on_all_films():
    boxes, films = world(3)
    none = Films(films.image_ids, films.absent, np.zeros(40, dtype=bool))
    assert chosen(boxes, none, CLASSES, Limits(0.5, 2.0, 3, FAINTEST)) == thresholds_for(
        boxes, films, CLASSES, 0.5, FAINTEST
    )


MANY = tuple(f"class{number}" for number in range(15))


def ward(random: np.random.Generator, films: int) -> tuple[Boxes, Films]:
    """Films of which a fifth are normal; one normal film in eight looks as the others do, to all classes at once."""
    names, rows = [f"film{number}" for number in range(films)], []
    normal = random.random(films) < 0.2
    for name, is_normal in zip(names, normal):
        looks = 3.5 if is_normal and random.random() < 0.875 else 5.0
        for one, scores in zip(MANY, random.beta(looks, 5.0, (len(MANY), 2))):
            rows += [(name, one, (0, 0, 9, 9), float(score)) for score in scores]
    return Boxes.of(rows), Films(names, np.ones((films, len(MANY)), dtype=bool), normal)


def by_normal_films_alone(boxes: Boxes, films: Films, rate: float) -> tuple[float, ...]:
    """Each class's share of the rate, read off the normal films: which is too little for so many classes."""
    alone = Films(films.image_ids, films.absent & films.normal[:, None], films.normal)
    return thresholds_for(boxes, alone, MANY, rate, FAINTEST)


def test_the_rate_holds_on_fresh_normal_films_where_few_were_there_to_choose_by():
    """Over wards of some 28 normal films and 15 classes; where each class is read off these the rate is missed."""
    random = np.random.default_rng(7)
    fresh, rule, alone = ward(random, 500), [], []
    for _ in range(20):
        boxes, films = ward(random, 140)
        cuts = chosen(boxes, films, MANY, Limits(0.5, 7.0, 3, FAINTEST))
        rule.append(on_normal_films(*fresh, cuts, MANY).mean())
        alone.append(on_normal_films(*fresh, by_normal_films_alone(boxes, films, 0.5), MANY).mean())
    assert 0.25 < np.mean(rule) <= 0.5 < np.mean(alone)


def test_boxes_of_classes_that_are_not_possible_are_not_counted():
    boxes, films = world(5)
    random = np.random.default_rng(5)
    possible = random.random((40, 3)) < 0.5
    kept = films.kept(boxes, possible, CLASSES)
    places = [(films.image_ids.index(image), CLASSES.index(name)) for image, name in zip(kept.image_id, kept.label)]
    assert 0 < len(kept) < len(boxes)
    assert all(possible[place] for place in places)
    with_ensemble, alone = (thresholds_for(some, films, CLASSES, 0.5, FAINTEST) for some in (kept, boxes))
    assert all(cut <= other for cut, other in zip(with_ensemble, alone))
    assert with_ensemble != alone


def test_films_are_taken_in_the_order_asked_for():
    _, films = world(1)
    some = films.of(["film7", "film2"])
    assert some.image_ids == ("film7", "film2")
    assert (some.absent == films.absent[[7, 2]]).all()
    assert (some.normal == films.normal[[7, 2]]).all()
