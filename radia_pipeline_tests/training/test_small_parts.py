"""Parts of training by themselves: branches, single processes, names of tensors, journals of sweeps, words."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
import torch

from radia_pipeline.contracts.vocabulary import vocabulary
from radia_pipeline.errors import BadInput
from radia_pipeline.training import distributed, weight_files
from radia_pipeline.training.counted import Counted
from radia_pipeline.training.inference import _prediction_table
from radia_pipeline.training.models import Classifier
from radia_pipeline.training.recipe_schema import SweepRange
from radia_pipeline.training.recipe_words import key_settings
from radia_pipeline.training.trials import Journal
from radia_pipeline_tests.training.synthetic import tiny_recipe

FINER = {"kwargs": {"block_config": [1, 1, 1], "growth_rate": 4}, "map_stride": 8}


# --- branches --------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("model", [{}, FINER], ids=["plain", "finer"])
def test_a_slot_without_a_branch_of_its_own_is_seen_by_the_last_and_the_first_is_the_default(model):
    torch.manual_seed(1)
    made = Classifier(tiny_recipe(views={"weights": "separate", "use": "frontal_lateral"}, model=model)).eval()
    images = torch.randn(2, 1, 32, 32)
    for parts in (made.heads, made.pyramids):
        for one in parts.parameters():
            torch.nn.init.normal_(one)
    with torch.no_grad():
        maps = [made.feature_map(images, slot) for slot in (0, 1, 2)]
        assert torch.equal(made.feature_map(images), maps[0]) and torch.equal(maps[1], maps[2])
        assert not torch.allclose(maps[0], maps[1])
        assert torch.equal(made.view_logits(images), made.view_logits(images, 0))
        assert torch.equal(made.view_logits(images, 2), made.view_logits(images, 1))
        assert torch.equal(made.head(maps[0]), made.head(maps[0], 0))
        assert torch.equal(made.head_maps(maps[0]), made.head_maps(maps[0], 0))
        assert torch.equal(made.evidence(maps[0]), made.evidence(maps[0], 0))
        assert not torch.allclose(made.head(maps[0]), made.head(maps[0], 1))
    assert made.backbone_of() is made.backbones[0] and made.backbone_of(5) is made.backbones[1]
    assert made.head_of() is made.heads[0] and made.head_of(5) is made.heads[1]


def test_images_of_another_shape_are_refused_and_flat_ones_are_those_that_are_there():
    made = Classifier(tiny_recipe()).eval()
    images, present = torch.randn(2, 2, 1, 32, 32), torch.tensor([[True, False], [True, True]])
    with torch.no_grad():
        assert torch.allclose(made(images, present), made(images[present], present), atol=1e-6)
    for wrong in (images[:, :1], images[..., :31], images[:, :, :0], images[0, 0]):
        with pytest.raises(BadInput, match="Model input"):
            made(wrong, present)
    with pytest.raises(BadInput, match="Model input"):
        made(images[present], present[0])


# --- one process -----------------------------------------------------------------------------------------------------
def test_one_process_is_the_first_of_one_and_exchanges_nothing(monkeypatch):
    monkeypatch.delenv("WORLD_SIZE", raising=False)
    value = torch.tensor([1.0, 2.0])
    with distributed.process_group():
        assert (distributed.rank(), distributed.world_size()) == (0, 1)
        assert distributed.total(value) is value
        assert distributed.any_process(True, value.device) is True
        assert distributed.any_process(False, value.device) is False
        assert distributed.from_first({"a": 1}) == {"a": 1}
        distributed.barrier()


def test_rows_come_in_their_order_padding_once_and_a_missing_one_is_an_error():
    rows = np.arange(8).reshape(4, 2) * 10
    found = distributed.gather_rows(np.array([2, 0, 1, 2]), rows, 3)
    assert found.tolist() == [[20, 30], [40, 50], [0, 10]]
    assert len(distributed.gather_rows(np.zeros(0, dtype=int), np.zeros((0, 2)), 0)) == 0
    for index, count in (([0, 1, 1, 0], 3), ([1, 2, 3, 3], 3), ([0, 2, 3, 3], 3), ([0, 1, 2, 3], 3)):
        with pytest.raises(RuntimeError, match="gathered"):
            distributed.gather_rows(np.array(index), rows, count)


# --- rows of predictions ---------------------------------------------------------------------------------------------
def test_each_study_has_a_row_a_class_with_its_odds_and_what_may_be_compared():
    model = Classifier(tiny_recipe(task={"inference": "plain"}))
    names = vocabulary().classes
    values = np.zeros((2, 21), dtype=np.int8)
    values[0, :4], values[1, 3] = (1, -1, -9, 0), 1
    labelled = np.ones((2, 21), dtype=bool)
    labelled[1, 3] = False
    words = {name: np.array([f"{name}0", f"{name}1"], dtype=object) for name in ("source", "study_id", "patient_key")}
    counts, groups = np.array([1, 2]), np.array(["g0", "g1"], dtype=object)
    studies = _Studies(values=values, labelled=labelled, judged=None, group_id=groups, image_counts=counts, **words)
    logits = np.linspace(-40, 40, 42).reshape(2, 21).astype(np.float32)
    table = _prediction_table("r", "test", studies, model, logits)
    assert table.num_rows == 42 and table["class"].to_pylist() == list(names) * 2
    assert table["study_id"].to_pylist() == ["study_id0"] * 21 + ["study_id1"] * 21
    assert table["image_count"].to_pylist() == [1] * 21 + [2] * 21
    assert set(table["recipe"].to_pylist()) == {"r"} and set(table["pool"].to_pylist()) == {"test"}
    assert np.allclose(table["probability"], 1 / (1 + np.exp(-logits.reshape(-1).astype(float))), atol=1e-9)
    inner = np.abs(logits.reshape(-1)) < 30
    assert np.allclose(np.asarray(table["logit"])[inner], logits.reshape(-1)[inner], rtol=1e-4)
    assert np.isfinite(table["logit"]).all()
    label = table["label"].to_pylist()
    assert label[:4] == [1, None, 0, 0] and label[21 + 3] is None and label[21] == 0


class _Studies(SimpleNamespace):
    def __len__(self) -> int:
        return len(self.source)


# --- names of tensors ------------------------------------------------------------------------------------------------
def test_chains_of_wrappers_are_taken_one_by_one():
    assert weight_files._chains("conv1.weight") == [""]
    assert weight_files._chains("module.model.encoder.conv1.weight") == [
        "",
        "module.",
        "module.model.",
        "module.model.encoder.",
    ]


def test_a_name_that_the_network_knows_is_its_own_and_others_are_tried():
    wanted = {name: torch.zeros(1) for name in ("0.weight", "layer1.0.conv1.weight", "a.denselayer2.norm1.weight")}
    assert weight_files._own_name("0.weight", wanted) == "0.weight"
    assert weight_files._own_name("4.0.conv1.weight", wanted) == "layer1.0.conv1.weight"
    assert weight_files._own_name("a.denselayer2.norm.1.weight", wanted) == "a.denselayer2.norm1.weight"
    assert weight_files._own_name("foreign", wanted) == "foreign"


def test_tensors_fit_with_all_names_and_shapes_a_heads_and_counters_apart():
    wanted = {"conv.weight": torch.zeros(2, 3), "bn.num_batches_tracked": torch.zeros(())}
    fits = {"conv.weight": torch.ones(2, 3)}
    assert weight_files._fits(fits, wanted)
    assert weight_files._fits({**fits, "fc.weight": torch.ones(9)}, wanted)
    assert not weight_files._fits({**fits, "other.weight": torch.ones(9)}, wanted)
    assert not weight_files._fits({"conv.weight": torch.ones(3, 2)}, wanted)
    assert not weight_files._fits({}, wanted)


def test_what_does_not_fit_is_counted_by_kind_with_three_names(tmp_path):
    wanted = {f"w{number}": torch.zeros(2) for number in range(6)}
    found = {"w0": torch.zeros(3), "w1": torch.zeros(2), "x": torch.zeros(1)}
    with pytest.raises(BadInput) as said:
        weight_files._require_fit(found, wanted, tmp_path / "f.pt", ["prefix 'a.' taken off"])
    words = str(said.value)
    assert "4 of 6 missing (w2, w3, w4)" in words and "1 of 3 foreign (x)" in words
    assert "1 of 6 of another shape (w0)" in words and "after prefix 'a.' taken off" in words
    weight_files._require_fit(wanted, wanted, tmp_path / "f.pt", [])


def test_what_was_taken_is_said_in_words():
    assert weight_files.Taken("f.pt", 12, (), 2).words == "12 tensors of f.pt: as they are; 2 of its head left"
    assert weight_files.Taken("f.pt", 1, ("a", "b"), 0).words == "1 tensors of f.pt: a; b; 0 of its head left"


# --- sweeps ----------------------------------------------------------------------------------------------------------
RANGES = {
    "lr": SweepRange(low=1e-5, high=1e-1, log=True),
    "layers": SweepRange(low=2, high=4, integer=True),
    "kind": SweepRange(choices=("a", "b")),
}


def journal(tmp_path, ranges=None, lies=False) -> Journal:
    return Journal(tmp_path / "made" / "sweep.jsonl", "sweep", ranges or RANGES, lies=lies)


def test_a_journal_proposes_within_ranges_and_the_same_again(tmp_path):
    first, second = (journal(tmp_path / name) for name in "ab")
    asked = [first.ask(number) for number in range(4)]
    assert [one.options for one in asked] == [second.ask(number).options for number in range(4)]
    assert [one.number for one in asked] == [one.entry for one in asked] == [0, 1, 2, 3]
    assert all(1e-5 <= one.options["lr"] <= 1e-1 and one.options["kind"] in ("a", "b") for one in asked)
    assert all(one.options["layers"] in (2, 3, 4) and isinstance(one.options["layers"], int) for one in asked)
    assert len({one.options["lr"] for one in asked}) == 4


def test_ends_of_each_kind_are_told_and_only_a_whole_trial_is_the_best(tmp_path):
    made = journal(tmp_path)
    whole, early, torn, open_one = (made.ask(number) for number in range(4))
    assert made.best() is None and made.ended == 0 and not made.is_ended(0) and not made.is_ended(9)
    for trial, values in ((whole, (0.5, 0.6)), (early, (0.9,))):
        for epoch, value in enumerate(values):
            made.note(trial, epoch, value)
    made.note(whole, 0, 0.1)
    assert made.curve(whole).by_epoch == {0: 0.5, 1: 0.6}, "a figure that is known stays"
    assert not made.curve(whole).is_whole
    made.end(whole, 0.6)
    made.end(early, 0.9, is_early=True)
    made.diverge(torn)
    assert made.curve(whole).is_whole and not made.curve(early).is_whole
    assert [made.is_ended(number) for number in range(5)] == [True, True, True, False, False]
    assert made.ended == 3 and made.counts() == {"ended_early": 1, "diverged": 1}
    assert made.best() == (0.6, whole.options)
    again = journal(tmp_path)
    assert [(one.number, one.options) for one in again.asked()] == [
        (one.number, one.options) for one in (whole, early, torn, open_one)
    ]
    better, alike = again.ask(4), again.ask(5)
    again.end(better, 0.7)
    again.end(alike, 0.7)
    assert again.best() == (0.7, better.options), "of equal ones the first"


def test_a_trial_that_was_torn_while_it_was_asked_does_not_count(tmp_path):
    made = journal(tmp_path, {"lr": RANGES["lr"]})
    made.ask(0)
    assert len(journal(tmp_path, {"lr": RANGES["lr"]}).asked()) == 1
    assert journal(tmp_path).asked() == [], "it lacks options that are asked for now"


# --- words -----------------------------------------------------------------------------------------------------------
def test_where_a_recipe_starts_and_what_it_changes_is_said():
    plain = key_settings(tiny_recipe())
    assert plain["starts"] == "from scratch" and plain["augmentation"] == "none"
    assert plain["network"].endswith("dropout 0") and "1 channel," in plain["input"]
    assert "each study once an epoch" in plain["data"]
    more = key_settings(
        tiny_recipe(
            init_from="other",
            model={"train_only": "head", "map_stride": 8},
            augmentation={"flip": {"p": 0.25}, "also": [{"RandomGamma": {"p": 0.5}}]},
            data={"samples_per_epoch": 90},
        )
    )
    assert more["starts"] == "from other" and more["augmentation"] == "flip 0.25, RandomGamma 0.5"
    assert "on a map of 8 px a position" in more["network"] and more["network"].endswith("the head alone is trained")
    assert "90 samples an epoch" in more["data"]


def test_weights_of_classes_are_the_recipes_and_no_part_of_a_checkpoint():
    from radia_pipeline.training.choices import TASKS

    recipe = tiny_recipe(task={"class_weight": {"Edema": 2.5}})
    positives = np.full(21, 5.0)
    positives[vocabulary().index("Fracture")] = 0
    counted = Counted(positives, np.full(21, 20.0), leave_out=("Mass",))
    task = TASKS[recipe.task.kind].make(recipe.task, counted)
    assert "class_weight" not in task.state_dict()
    weight = dict(zip(vocabulary().classes, task.class_weight.tolist()))
    assert weight["Edema"] == 2.5 and weight["Nodule"] == 1
    assert weight["Mass"] == 0 and weight["Fracture"] == 0, "left out, and without a positive"
