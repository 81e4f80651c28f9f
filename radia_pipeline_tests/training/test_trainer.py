"""Training from manifest to model: reuse, resume, and every planted fault caught with its own message."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch

from radia_pipeline.errors import (
    AlreadyRunning,
    BadInput,
    BadRecipe,
    EmptyPool,
    NotTrained,
    RunFailed,
    TrainingDiverged,
)
from radia_pipeline.processes.lifecycle import StopRequest
from radia_pipeline.training import loader, trainer
from radia_pipeline.training.checkpoints import load_tensors, select
from radia_pipeline.training.exclusive import exclusive
from radia_pipeline.training.inference import load_classifier, predict_images, predict_manifest
from radia_pipeline.training.trainer import Runtime, train
from radia_pipeline_tests.training.synthetic import draw_image, tiny_recipe, write_lake


@pytest.fixture(scope="module")
def shared_lake(tmp_path_factory):
    return write_lake(tmp_path_factory.mktemp("lake"), patients=60, sources=("ccsmtl", "nih_cxr14"))


@pytest.fixture
def lake(tmp_path):
    return write_lake(tmp_path, patients=40)


def stop_after(step: int) -> tuple[Runtime, list]:
    """A runtime that asks to stop once a step has been spoken, and the events."""
    runtime, events = Runtime(workers=1, log_every_s=0.0, stop=StopRequest()), []

    def listen(event: dict) -> None:
        events.append(event)
        if event["event"] == "step" and event["step"] >= step:
            runtime.stop.set("test")

    return runtime, [listen, events]


def weights(result) -> dict[str, torch.Tensor]:
    return select(load_tensors(result.model_dir / "checkpoints" / "last.safetensors")[0], "objective")


def test_trains_publishes_and_learns(shared_lake):
    events = []
    recipe = tiny_recipe(name="learns", training={"max_epochs": 6})
    result = train(recipe, shared_lake, on_event=events.append)
    kinds = [event["event"] for event in events]
    assert result.best_metric > 0.85
    assert kinds[-1] == "done"
    assert kinds.count("epoch") == result.epochs == len(result.history) == 6
    assert json.loads(json.dumps(events, allow_nan=False)) is not None
    card = json.loads((result.model_dir / "model.json").read_text())
    assert card["manifest_versions"] == shared_lake.versions("manifest")
    assert set(card["empty_image_probabilities"]) == set(card["classes"])
    assert result.picture.exists()
    bright = predict_images(result.model_dir, [draw_image(np.random.default_rng(1), ["Cardiomegaly"])])[0]
    dark = predict_images(result.model_dir, [draw_image(np.random.default_rng(1), [])])[0]
    assert bright["Cardiomegaly"] > dark["Cardiomegaly"]


def test_a_finished_training_is_reported_not_repeated_unless_forced(lake):
    recipe = tiny_recipe(name="again", training={"max_epochs": 1})
    first, second = train(recipe, lake), train(recipe, lake)
    assert not first.reused
    assert second.reused
    assert second.model_dir == first.model_dir
    assert not train(recipe, lake, force=True).reused


def test_another_manifest_or_recipe_is_another_training(lake):
    one = train(tiny_recipe(name="same", training={"max_epochs": 1}), lake)
    two = train(tiny_recipe(name="same", training={"max_epochs": 1, "seed": 6}), lake)
    rows = lake.read("manifest", "ccsmtl").to_pylist()
    rows[0]["weight"] = 0.5
    lake.write("manifest", rows, partition="ccsmtl")
    three = train(tiny_recipe(name="same", training={"max_epochs": 1}), lake)
    assert len({one.fingerprint, two.fingerprint, three.fingerprint}) == 3


@pytest.mark.parametrize("step", [1, 3, 5])
def test_stopped_and_resumed_equals_uninterrupted_bitwise(step, lake):
    sections = {
        "training": {"max_epochs": 2, "ema": 0.9},
        "model": {"dropout": 0.2},
        "labels": {"moving_average": 0.9},
        "augmentation": {"affine": {"p": 1.0}, "also": [{"GaussNoise": {}}]},
        "schedule": {"name": "onecycle"},
    }
    whole = train(tiny_recipe(name="whole", **sections), lake)
    runtime, (listen, events) = stop_after(step)
    parts = tiny_recipe(name="parts", **sections)
    with pytest.raises(RunFailed, match="stopped"):
        train(parts, lake, on_event=listen, runtime=runtime)
    resumed = train(parts, lake, on_event=events.append)
    assert [e["resumed_at_step"] for e in events if e["event"] == "start"] == [0, step]
    expected, found = weights(whole), weights(resumed)
    assert all(torch.equal(expected[name], found[name]) for name in expected)
    assert [line["auc"] for line in resumed.history] == [line["auc"] for line in whole.history]


def test_without_resume_training_starts_over(lake):
    recipe = tiny_recipe(name="over")
    runtime, (listen, events) = stop_after(2)
    with pytest.raises(RunFailed, match="continues from its checkpoint"):
        train(recipe, lake, on_event=listen, runtime=runtime)
    train(recipe, lake, on_event=events.append, runtime=Runtime(resume=False))
    assert [event["resumed_at_step"] for event in events if event["event"] == "start"] == [0, 0]


def test_killed_while_a_checkpoint_is_written_leaves_the_last_whole_one(lake, monkeypatch):
    from radia_pipeline.training import checkpoints

    recipe = tiny_recipe(name="torn", training={"max_epochs": 2})
    whole = train(tiny_recipe(name="untorn", training={"max_epochs": 2}), lake)
    calls = []

    def torn(tensors, path, metadata):
        calls.append(path)
        if "objective" in next(iter(tensors)) and sum("last" in str(call) for call in calls) == 2:
            path.write_bytes(b"half a file")
            raise KeyboardInterrupt
        return original(tensors, path, metadata)

    original = checkpoints.save_file
    monkeypatch.setattr(checkpoints, "save_file", torn)
    with pytest.raises(KeyboardInterrupt):
        train(recipe, lake)
    monkeypatch.setattr(checkpoints, "save_file", original)
    resumed = train(recipe, lake)
    expected, found = weights(whole), weights(resumed)
    assert all(torch.equal(expected[name], found[name]) for name in expected)


def interrupted(lake, recipe):
    runtime, (listen, _) = stop_after(1)
    with pytest.raises(RunFailed):
        train(recipe, lake, on_event=listen, runtime=runtime)
    return next((lake.models_dir / recipe.name).glob("*/checkpoints/last.safetensors"))


def test_nan_weights_are_skipped_then_stop_with_keyed_ids(lake, monkeypatch):
    from radia_pipeline.training.tasks import BinaryTask

    monkeypatch.setattr(BinaryTask, "forward", lambda self, logits, batch, denominator: logits.sum() * float("nan"))
    recipe = tiny_recipe(name="diverges", training={"max_bad_steps": 2})
    events = []
    with pytest.raises(TrainingDiverged, match="2 steps running") as caught:
        train(recipe, lake, on_event=events.append)
    bad = [event for event in events if event["event"] == "bad_step"]
    assert len(bad) == 2
    assert bad[0]["studies"][0] in lake.read("manifest").column("study_id").to_pylist()
    assert bad[1]["studies"][0] in str(caught.value)


def test_a_model_that_answers_nan_in_validation_is_never_the_best(lake, monkeypatch):
    original = trainer.score_studies

    def third_study_is_broken(*arguments, **options):
        logits = original(*arguments, **options)
        logits[2, 4] = float("nan")
        return logits

    monkeypatch.setattr(trainer, "score_studies", third_study_is_broken)
    recipe = tiny_recipe(name="nan_in_validation")
    with pytest.raises(TrainingDiverged, match="no finite answer to 1 of") as caught:
        train(recipe, lake)
    assert any(study in str(caught.value) for study in lake.read("manifest").column("study_id").to_pylist())
    assert not list((lake.models_dir / recipe.name).glob("*/checkpoints/best*"))


def test_one_bad_step_changes_no_weight(lake, monkeypatch):
    from radia_pipeline.training.state import TrainingState
    from radia_pipeline.training.stepper import Stepper

    applied = []
    original = Stepper._sound_loss

    def second_step_is_bad(self, share, batch, logits):
        return original(self, share * float("nan") if self.state.progress.step == 1 else share, batch, logits)

    monkeypatch.setattr(Stepper, "_sound_loss", second_step_is_bad)
    monkeypatch.setattr(TrainingState, "apply_gradient", lambda self, *_: applied.append(self.progress.step))
    train(tiny_recipe(name="one_bad", training={"max_epochs": 1}), lake)
    assert 1 not in applied
    assert {0, 2} <= set(applied)


@pytest.mark.parametrize(
    ("plant", "message"),
    [
        (lambda b: setattr(b, "images", b.images * float("nan")), "Pixels that are not finite in studies"),
        (lambda b: b.targets.fill_(float("nan")), "Targets outside 0 to 1"),
        (lambda b: setattr(b, "images", b.images.permute(0, 1, 3, 4, 2)), "channels before rows and columns"),
        (lambda b: setattr(b, "images", b.images[:, 0]), "Batch of images of shape"),
        (lambda b: setattr(b, "images", b.images.double()), "float64"),
        (lambda b: b.present.fill_(False), "No image in studies"),
    ],
)
def test_a_planted_fault_in_a_batch_is_named(plant, message, lake):
    recipe = tiny_recipe(name="plant")
    batch = any_batch(lake, recipe)
    ids = np.array([f"{number:032x}" for number in range(len(batch.index))])
    loader.check_batch(batch, recipe, ids)
    plant(batch)
    with pytest.raises(BadInput, match=message):
        loader.check_batch(batch, recipe, ids)


@pytest.mark.parametrize("channels", ["gray", "clahe"])
def test_planted_channel_order_is_named(channels, lake):
    """Three planes in another order, or colours the other way round, have the right shape and teach nonsense."""
    recipe = tiny_recipe(name="planes", input={"channels": channels, "normalisation": "imagenet"})
    batch = any_batch(lake, recipe)
    loader.check_channels(batch, recipe)
    if channels == "clahe":
        batch.images = batch.images.flip(2)
        with pytest.raises(BadInput, match="CLAHE clip 2, CLAHE clip 4, in this order"):
            loader.check_channels(batch, recipe)


def any_batch(lake, recipe):
    from radia_pipeline.training.preparation import prepare_pools
    from radia_pipeline.training.studies import read_manifest

    manifest, _ = read_manifest(lake, None)
    return next(prepare_pools(recipe, lake, manifest, Runtime(workers=1), lambda _e: None).training.training(0))


def test_classes_without_positives_are_announced_and_do_not_count(lake):
    events = []
    result = train(tiny_recipe(name="quiet", training={"max_epochs": 1}), lake, on_event=events.append)
    assert "Hernia" in next(event for event in events if event["event"] == "counted")["left_out"]
    assert "Hernia" not in result.history[0]["counted"]
    assert "Cardiomegaly" in result.history[0]["counted"]


def test_no_class_with_enough_positives_is_an_empty_pool(lake):
    with pytest.raises(EmptyPool, match="No class has 1000 positives"):
        train(tiny_recipe(name="strict", stopping={"min_positives": 1000}), lake)


def test_batch_larger_than_the_data(lake):
    with pytest.raises(BadRecipe, match="batch_size is 500 but an epoch has"):
        train(tiny_recipe(name="big", training={"batch_size": 500}), lake)


def test_init_from_needs_a_trained_recipe_that_fits(lake):
    with pytest.raises(NotTrained, match="base"):
        train(tiny_recipe(name="child", init_from="base"), lake)
    train(tiny_recipe(name="base", training={"max_epochs": 1}), lake)
    with pytest.raises(BadRecipe, match="cannot start from base"):
        train(tiny_recipe(name="child", init_from="base", model={"kwargs": {"block_config": [2, 3]}}), lake)
    tuned = train(tiny_recipe(name="child", init_from="base", model={"train_only": "head"}), lake)
    base, child = load_classifier(lake.models_dir / "base" / latest(lake, "base")), load_classifier(tuned.model_dir)
    for (name, ours), theirs in zip(child.state_dict().items(), base.state_dict().values()):
        assert torch.equal(ours, theirs) == name.startswith(("backbones", "prior_shift")), name


def latest(lake, name: str) -> str:
    return json.loads((lake.models_dir / name / "latest.json").read_text())["fingerprint"]


def test_two_trainings_of_one_recipe_exclude_each_other(lake):
    recipe = tiny_recipe(name="alone")
    with exclusive(lake, "alone"), pytest.raises(AlreadyRunning, match="alone"):
        train(recipe, lake)


def test_absent_source_and_empty_pool(lake):
    with pytest.raises(EmptyPool, match="nih_cxr14"):
        train(tiny_recipe(name="absent", data={"sources": ["nih_cxr14"]}), lake)
    rows = [row for row in lake.read("manifest", "ccsmtl").to_pylist() if row["pool"] != "validation"]
    lake.write("manifest", rows, partition="ccsmtl")
    with pytest.raises(EmptyPool, match="validation"):
        train(tiny_recipe(name="empty"), lake)


def test_predictions_table_holds_what_evaluation_needs(shared_lake):
    train(tiny_recipe(name="predicts", training={"max_epochs": 1}, task={"inference": "hierarchy"}), shared_lake)
    predict_manifest(shared_lake, "predicts")
    table = shared_lake.read("predictions", "predicts").to_pandas()
    assert set(table.pool) == {"validation"}, "the test pool is kept for a release"
    assert np.allclose(table.probability, 1 / (1 + np.exp(-table.logit)), atol=1e-9)
    opacity = table[(table["class"] == "Lung Opacity") & (table.source == "nih_cxr14")]
    assert opacity.label.isna().all(), "NIH does not label Lung Opacity, closure alone must not be scored"
    wide = table.pivot(index="study_id", columns="class", values="probability")
    assert (wide["Edema"] <= wide["Lung Opacity"] + 1e-12).all()


def test_a_model_is_judged_on_sources_that_it_does_not_learn_from_too(shared_lake):
    result = train(
        tiny_recipe(name="one_source", training={"max_epochs": 1}, data={"sources": ["ccsmtl"]}), shared_lake
    )
    predict_manifest(shared_lake, "one_source")
    assert set(shared_lake.read("predictions", "one_source")["source"].to_pylist()) == {"ccsmtl", "nih_cxr14"}
    assert set(json.loads((result.model_dir / "model.json").read_text())["manifest_versions"]) == {"ccsmtl"}


@pytest.mark.parametrize(
    "sections",
    [
        {"optimizer": {"name": "sgd", "lr": 0.01}, "schedule": {"name": "cosine_restarts", "restart_epochs": 1}},
        {"optimizer": {"name": "rmsprop", "lr": 0.001}, "schedule": {"name": "step", "step_epochs": 1}},
        {"optimizer": {"name": "adagrad", "lr": 0.01}, "schedule": {"name": "cosine"}, "model": {"head": "pcam"}},
        {"optimizer": {"name": "adam"}, "views": {"weights": "separate"}, "stopping": {"metric": "f1"}},
        {"task": {"kind": "auc_margin"}, "labels": {"uncertain": "ignore"}, "stopping": {"metric": "loss"}},
        {"input": {"channels": "clahe", "normalisation": "imagenet"}, "training": {"precision": "bf16"}},
        {"data": {"fold": 1, "sampler": "weighted"}, "views": {"use": "all", "combine": "logsumexp"}},
    ],
)
def test_every_option_trains_a_step(sections, shared_lake):
    recipe = tiny_recipe(name="options", **{**sections, "training": {"max_epochs": 1, **sections.get("training", {})}})
    assert np.isfinite(train(recipe, shared_lake).history[0]["train_loss"])
