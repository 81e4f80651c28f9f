"""Which images a study shows, which studies an epoch draws, in which order, on which process."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from radia_pipeline.contracts.label_values import MISSING
from radia_pipeline.contracts.vocabulary import vocabulary
from radia_pipeline.errors import BadRecipe
from radia_pipeline.training.recipe_schema import DataSection, ViewsSection
from radia_pipeline.training.sampler import batch_slots, epoch_order, generator, steps_per_epoch, study_weights
from radia_pipeline.training.studies import Studies, choose_views, evaluation_labels, pool_studies, read_manifest
from radia_pipeline_tests.training.synthetic import tiny_recipe, write_lake

WORDS = vocabulary()


def studies(count: int, **positives: int) -> Studies:
    values = np.zeros((count, len(WORDS.classes)), dtype=np.int8)
    for name, many in positives.items():
        values[:many, WORDS.index(name.replace("_", " "))] = 1
    ids = np.array([f"{number:032x}" for number in range(count)], dtype=object)
    labelled = np.ones_like(values, dtype=bool)
    return Studies(ids, ids, ids, ids, np.zeros((count, 1), dtype=np.int64), values, labelled, np.ones(count))


def test_frontal_order_is_pa_ap_unknown_then_image_id():
    images = [
        ("UNKNOWN", "a", 0),
        ("AP", "c", 1),
        ("PA", "z", 2),
        ("PA", "b", 3),
        ("LATERAL", "y", 4),
        ("LATERAL", "x", 5),
    ]
    assert choose_views(images, ViewsSection(use="frontal")) == [3]
    assert choose_views(images, ViewsSection(use="frontal_lateral")) == [3, 5]
    assert choose_views(images, ViewsSection(use="all", max_views=5)) == [3, 2, 1, 0, 5]
    assert choose_views([("LATERAL", "x", 7)], ViewsSection(use="frontal_lateral")) == [None, 7]


@given(st.permutations([("PA", "a", 0), ("AP", "b", 1), ("LATERAL", "c", 2), ("PA", "d", 3)]))
def test_the_choice_does_not_depend_on_the_order_of_rows(images):
    assert choose_views(images, ViewsSection()) == [0, 2]


def test_pools_are_disjoint_folds_divide_train_and_excluded_rows_stay_out(tmp_path):
    lake = write_lake(tmp_path, patients=40)
    rows = lake.read("manifest", "ccsmtl").to_pylist()
    rows[0]["excluded"] = "late_link"
    lake.write("manifest", rows, partition="ccsmtl")
    manifest, _ = read_manifest(lake, None)
    numbers = {image: row for row, image in enumerate(manifest.column("image_id").to_pylist())}

    def of(pool, fold=None):
        return set(pool_studies(manifest, tiny_recipe(data={"fold": fold}), pool, numbers).study_id)

    train, validation, test = of("train"), of("validation"), of("test")
    assert not train & validation and not train & test and not validation & test
    assert of("train", 1) | of("validation", 1) == train
    assert not of("train", 1) & of("validation", 1)
    assert of("test", 1) == test
    excluded_study = rows[0]["study_id"]
    if rows[0]["view"] == "PA" and sum(row["study_id"] == excluded_study for row in rows) == 1:
        assert excluded_study not in train | validation | test


def test_evaluation_counts_blank_as_negative_only_where_labelled():
    some = studies(1)
    some.values[0, :4] = (1, 0, -1, MISSING)
    some.labelled[0, 5] = False
    some.values[0, 5] = 1
    assert evaluation_labels(some)[0, :6].tolist() == [1, 0, -1, 0, 0, MISSING]


def test_an_epoch_is_a_function_of_seed_and_epoch():
    data = DataSection()
    orders = [epoch_order(studies(50), data, seed, epoch) for seed, epoch in ((1, 0), (1, 0), (1, 1), (2, 0))]
    assert (orders[0] == orders[1]).all()
    assert (orders[0] != orders[2]).any()
    assert (orders[0] != orders[3]).any()
    assert sorted(orders[0]) == list(range(50))


@given(st.integers(1, 4), st.integers(1, 16), st.integers(0, 9))
def test_processes_share_each_global_batch_whatever_their_number(world, size, step):
    parts = [batch_slots(step, size, rank, world) for rank in range(world)]
    assert sorted(np.concatenate(parts)) == list(range(step * size, (step + 1) * size))


def test_weighted_draws_follow_the_stated_rule():
    some = studies(100, Hernia=4, Edema=25)
    some.values[30:, WORDS.index("No Finding")] = 1
    weights = study_weights(some, DataSection(sampler="weighted", balance=0.5, no_finding_weight=0.1))
    hernia, edema, normal = weights[0], weights[10], weights[50]
    assert hernia / edema == pytest.approx((4 / 25) ** -0.5)
    assert edema / normal == pytest.approx((25 / 70) ** -0.5 / 0.1)
    drawn = epoch_order(
        some, DataSection(sampler="weighted", balance=0.5, no_finding_weight=0.1, samples_per_epoch=20000), 0, 0
    )
    assert (drawn == 0).mean() == pytest.approx(hernia, rel=0.2)


def test_shuffle_goes_round_before_it_repeats():
    order = epoch_order(studies(10), DataSection(samples_per_epoch=25), 0, 0)
    assert len(order) == 25
    assert np.bincount(order).min() == 2


def test_generators_of_different_parts_differ():
    assert generator(1, "sample", 0, 5).random() != generator(1, "sample", 5, 0).random()
    assert generator(1, "sample", 0, 5).random() == generator(1, "sample", 0, 5).random()


def test_a_batch_must_fit_into_an_epoch():
    assert steps_per_epoch(studies(33), DataSection(), 16) == 2
    with pytest.raises(BadRecipe, match="1 to 33"):
        steps_per_epoch(studies(33), DataSection(), 34)


def of_patients(*counts: int) -> Studies:
    """Studies of patients who have so many each; the first patient's are hernias."""
    some = studies(sum(counts), Hernia=counts[0])
    keys = np.repeat([f"{number:032x}" for number in range(len(counts))], counts).astype(object)
    return dataclasses.replace(some, patient_key=keys)


def test_a_patient_with_many_studies_has_so_many_in_an_epoch_others_in_the_next():
    some, data = of_patients(9, 1, 2), DataSection(max_per_patient=2)
    orders = [epoch_order(some, data, 0, epoch) for epoch in range(12)]
    assert all(len(set(order)) == len(order) == 5 and (order < 9).sum() == 2 for order in orders)
    assert {int(study) for order in orders for study in order} == set(range(12))
    assert steps_per_epoch(some, data, 2) == 2


def test_weighted_draws_meet_a_patient_with_many_studies_as_often_as_one_with_the_cap():
    some = of_patients(9, 3, 3)
    data = DataSection(sampler="weighted", balance=0.0, max_per_patient=3, samples_per_epoch=30000)
    drawn = np.bincount(np.repeat([0, 1, 2], [9, 3, 3])[epoch_order(some, data, 0, 0)])
    assert drawn / 30000 == pytest.approx(np.full(3, 1 / 3), abs=0.02)
    assert study_weights(some, data)[:9].sum() == pytest.approx(1 / 3)
