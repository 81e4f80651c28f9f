"""What retrains a model and what does not."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from radia_pipeline.errors import RunFailed
from radia_pipeline.processes.lifecycle import StopRequest
from radia_pipeline.training import identity
from radia_pipeline.training.identity import fingerprint
from radia_pipeline.training.model_folders import read_card
from radia_pipeline.training.recipe_schema import Recipe, ViewsSection
from radia_pipeline.training.recipes import load_recipe, parse_recipe
from radia_pipeline.training.trainer import Runtime, train
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
