"""What retrains a model and what does not; models of earlier releases stand for the trainings that they are."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
import yaml

from radia_pipeline.errors import RunFailed
from radia_pipeline.processes.lifecycle import StopRequest
from radia_pipeline.training import earlier_models, identity, standing
from radia_pipeline.training.identity import fingerprint
from radia_pipeline.training.model_folders import read_card
from radia_pipeline.training.recipe_schema import Recipe, ViewsSection
from radia_pipeline.training.recipes import load_recipe, parse_recipe, with_options
from radia_pipeline.training.trainer import Runtime, train
from radia_pipeline_tests.training.earlier import age
from radia_pipeline_tests.training.synthetic import tiny_recipe, write_lake

VERSIONS = {"ccsmtl": "0" * 32}


@pytest.fixture
def lake(tmp_path):
    return write_lake(tmp_path / "lake", patients=40)


def name_of(recipe: Recipe, parent: str | None = None, versions: dict = VERSIONS) -> str:
    return fingerprint(recipe, versions, parent)


# --- what an identity covers ------------------------------------------------------------------------------------------
def test_order_and_written_out_defaults_change_nothing():
    content = {"name": "x", "optimizer": {"lr": 0.002, "momentum": 0.8}, "labels": {"uncertain_range": [0.5, 0.85]}}
    turned = {"labels": {}, "optimizer": {"momentum": 0.8, "lr": 0.002}, "name": "x", "title": "for people"}
    whole = parse_recipe(content).model_dump(mode="json")
    names = {name_of(parse_recipe(one)) for one in (content, turned, whole, yaml.safe_load(yaml.safe_dump(whole)))}
    assert len(names) == 1


def test_a_new_option_with_a_default_leaves_all_recipes_alone():
    class MoreViews(ViewsSection):
        mirrored: bool = False

    class NextRecipe(Recipe):
        views: MoreViews = MoreViews()
        ends_early: bool = False

    used = load_recipe("original_hierarchical")
    assert NextRecipe(**used.model_dump()).hash == used.hash
    assert NextRecipe(**used.model_dump() | {"ends_early": True}).hash != used.hash


@pytest.mark.parametrize(
    "change",
    [
        lambda call: call(recipe=tiny_recipe(optimizer={"lr": 0.006})),
        lambda call: call(versions={"ccsmtl": "1" * 32}),
        lambda call: call(versions={**VERSIONS, "nih_cxr14": "0" * 32}),
        lambda call: call(parent="f" * 16),
    ],
)
def test_recipe_data_and_parent_make_another_training(change):
    def call(recipe=None, versions=VERSIONS, parent=None):
        return name_of(recipe or tiny_recipe(), parent, versions)

    assert change(call) != call()


def test_a_raised_version_makes_another_training(monkeypatch):
    before = name_of(tiny_recipe())
    monkeypatch.setattr(identity, "TRAINING_VERSION", identity.TRAINING_VERSION + 1)
    assert name_of(tiny_recipe()) != before


def test_no_identity_reads_a_file_of_the_source(monkeypatch):
    monkeypatch.setattr(Path, "read_bytes", lambda path: pytest.fail(f"{path.name} was read"))
    assert name_of(tiny_recipe()) == name_of(tiny_recipe())


def test_the_card_tells_with_what_a_model_was_made(lake):
    card = read_card(train(tiny_recipe(name="made", training={"max_epochs": 1}), lake).model_dir)
    assert card["training_version"] == identity.TRAINING_VERSION
    assert {"torch", "timm"} < set(card["made_with"])
    assert card["parent"] is None
    assert card["fingerprint"] == name_of(parse_recipe(card["recipe"]), None, lake.versions("manifest"))


# --- models of earlier releases ---------------------------------------------------------------------------------------
@pytest.fixture
def first_version(monkeypatch):
    """The version as which models of earlier releases count, whatever it is by now."""
    monkeypatch.setattr(earlier_models, "TRAINING_VERSION", earlier_models.EARLIER_VERSION)


@pytest.mark.usefixtures("first_version")
def test_a_card_as_an_earlier_release_wrote_it_stands_for_its_recipe(tmp_path):
    """``earlier_card.json`` was cut from a demo that the last release without identities has trained."""
    card = json.loads((Path(__file__).parent / "earlier_card.json").read_text())
    folder = tmp_path / card["fingerprint"]
    folder.mkdir()
    (folder / "model.json").write_text(json.dumps(card))
    (folder / "model.safetensors").touch()
    recipe, versions = parse_recipe(card["recipe"]), card["manifest_versions"]
    other = with_options(recipe, {"model.head": "pcam"})
    assert earlier_models.standing_classifier(tmp_path, recipe, versions, None) == folder
    assert earlier_models.standing_classifier(tmp_path, recipe, versions, "f" * 16) is None
    assert earlier_models.standing_classifier(tmp_path, other, versions, None) is None


@pytest.fixture
def chain(lake, first_version) -> tuple:
    """A base and its child, trained and aged: (lake, base's recipe, child's recipe, both folders)."""
    base, child = (
        tiny_recipe(name=name, training={"max_epochs": 1}, **more)
        for name, more in (("base", {}), ("child", {"init_from": "base", "model": {"train_only": "head"}}))
    )
    train(base, lake)
    old_base = age(lake, base)
    train(child, lake)
    return lake, base, child, old_base, age(lake, child, old_base.name)


def refuse(*_args, **_kwargs):
    pytest.fail("it was trained again")


def test_models_of_an_earlier_release_are_reported_not_trained_again(chain, monkeypatch):
    lake, base, child, old_base, old_child = chain
    monkeypatch.setattr("radia_pipeline.training.trainer._Run.fit", refuse)
    for recipe, folder in ((base, old_base), (child, old_child)):
        result = train(recipe, lake)
        assert (result.reused, result.model_dir, result.fingerprint) == (True, folder, folder.name)
        assert standing.standing_fingerprint(lake, recipe) == folder.name


def folder_for(lake, recipe: Recipe, parent: str | None) -> str:
    return standing.folder_of(lake, recipe, lake.versions("manifest"), parent).name


def test_a_model_of_another_parent_recipe_or_manifest_is_not_taken(chain):
    lake, base, child, old_base, old_child = chain
    assert folder_for(lake, child, old_base.name) == old_child.name
    assert folder_for(lake, child, "f" * 16) != old_child.name
    assert folder_for(lake, child, None) != old_child.name
    assert folder_for(lake, tiny_recipe(name="base", training={"max_epochs": 1, "seed": 6}), None) != old_base.name
    rows = lake.read("manifest", "ccsmtl").to_pylist()
    rows[0]["weight"] = 0.5
    lake.write("manifest", rows, partition="ccsmtl")
    assert folder_for(lake, base, None) != old_base.name


def test_a_card_that_was_altered_is_not_taken(chain):
    lake, base, _, old_base, _ = chain
    card = read_card(old_base)
    for change in ({"code_version": "0" * 16}, {"recipe": {**card["recipe"], "optimizer": {"lr": 0.5}}}, {"recipe": 3}):
        (old_base / "model.json").write_text(json.dumps({**card, **change}))
        assert folder_for(lake, base, None) != old_base.name
    (old_base / "model.json").write_text("{")
    assert folder_for(lake, base, None) != old_base.name


def test_a_raised_version_and_force_train_anew(chain, monkeypatch):
    lake, base, _, old_base, _ = chain
    forced = train(base, lake, force=True)
    assert (forced.reused, old_base.is_dir()) == (False, True)
    assert forced.model_dir != old_base
    shutil.rmtree(forced.model_dir)
    monkeypatch.setattr(earlier_models, "TRAINING_VERSION", 2)
    assert folder_for(lake, base, None) != old_base.name


def test_a_checkpoint_of_an_earlier_release_is_not_continued_and_that_is_said(lake, monkeypatch):
    recipe, events = tiny_recipe(name="half"), []
    runtime = Runtime(workers=1, log_every_s=0.0, stop=StopRequest())
    monkeypatch.setattr("radia_pipeline.training.checkpoints.VERSION_KEY", "unknown_then")

    def stop(event: dict) -> None:
        if event["event"] == "step":
            runtime.stop.set("test")

    with pytest.raises(RunFailed):
        train(recipe, lake, on_event=stop, runtime=runtime)
    monkeypatch.undo()
    (left,) = (lake.models_dir / "half").glob("*/")
    left.rename(left.with_name("0123456789abcdef"))
    result = train(recipe, lake, on_event=events.append)
    (warning,) = [event["message"] for event in events if "release" in event.get("message", "")]
    assert "half/0123456789abcdef" in warning
    assert next(event for event in events if event["event"] == "start")["resumed_at_step"] == 0
    assert not result.reused


def test_a_change_that_touches_some_recipes_leaves_the_others_alone():
    cycled = {"optimizer": {"name": "rmsprop"}, "schedule": {"name": "onecycle"}}
    assert identity.later_changes(parse_recipe({"name": "x", **cycled})) == {"rmsprop": "momentum is cycled"}
    for content in ({}, {**cycled, "schedule": {"name": "cosine"}}, {"schedule": cycled["schedule"]}):
        assert identity.later_changes(parse_recipe({"name": "x", **content})) == {}
    assert name_of(load_recipe("conditional_finetune")) != name_of(load_recipe("conditional_stage"))
