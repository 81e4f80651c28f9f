"""Recipes: what ships can be read and built, what is misspelt is refused with its place."""

from __future__ import annotations

from dataclasses import replace

import jsonschema
import pytest
import torch
import yaml

from radia_pipeline.contracts.vocabulary import vocabulary
from radia_pipeline.errors import BadRecipe, UnknownName, VocabularyMismatch
from radia_pipeline.training import recipes
from radia_pipeline.training.recipe_words import key_settings
from radia_pipeline.training.recipes import (
    RECIPES_DIR,
    json_schema,
    load_recipe,
    parse_recipe,
    recipe_names,
    with_options,
    with_settings,
)
from radia_pipeline_tests import recipe_page

TABLE_8 = ("original_baseline", "original_hierarchical", "original_pcam")


@pytest.mark.parametrize("name", recipe_names())
def test_shipped_recipe_reads_and_fits_the_editors_schema(name):
    recipe = load_recipe(name)
    assert recipe.name == name
    assert recipe.title, "a person chooses recipes by their title"
    jsonschema.validate(yaml.safe_load((RECIPES_DIR / f"{name}.yaml").read_text()), json_schema())
    if recipe.init_from:
        parent = load_recipe(recipe.init_from)
        assert (parent.model.backbone, parent.input) == (recipe.model.backbone, recipe.input)


def test_table_8_says_what_the_original_says():
    baseline, hierarchical, pcam = map(load_recipe, TABLE_8)
    assert [r.training.batch_size for r in (baseline, hierarchical, pcam)] == [64, 32, 32]
    assert [r.optimizer.lr for r in (baseline, hierarchical, pcam)] == [1e-4, 1e-3, 1e-4]
    assert [r.model.dropout for r in (baseline, hierarchical, pcam)] == [0, 0.1, 0]
    assert [r.stopping.patience for r in (baseline, hierarchical, pcam)] == [20, 40, 40]
    for recipe, p in (
        (baseline, (1, 1, 0.5, 1, 1)),
        (hierarchical, (0.8, 0.8, 0.5, 0.1, 0.1)),
        (pcam, (0.8, 0.8, 0.5, 0.1, 0.1)),
    ):
        a = recipe.augmentation
        assert (a.affine.p, a.jitter.p, a.flip.p, a.grid.p, a.elastic.p) == p
        assert (recipe.data.samples_per_epoch, recipe.optimizer.clip_norm, recipe.input.channel_count) == (
            50000,
            1.0,
            3,
        )


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"optimiser": {}}, r"optimiser is not an option \(did you mean optimizer\?\)"),
        ({"optimizer": {"weight_deacy": 0}}, "did you mean weight_decay"),
        ({"batch_size": 3}, "did you mean training.batch_size"),
        ({"augmentation": {"affine": {"rotate": 3}}}, "did you mean rotate_deg"),
        ({"augmentation": {"also": [{"RandomGama": {}}]}}, r"also.0.RandomGama is not .* mean RandomGamma\?"),
        ({"augmentation": {"also": [{"RandomGamma": {"gama_limit": 3}}]}}, "did you mean gamma_limit"),
        ({"augmentation": {"also": [{"ColorJitter": {}}]}}, "not an option .RandomGamma, RandomBrightnessContrast"),
        ({"augmentation": {"also": [{"CLAHE": {}, "Equalize": {}}]}}, "names one transform"),
        ({"augmentation": {"also": [{"CLAHE": {"p": 2}}]}}, "also.0.CLAHE.p = 2"),
        ({"model": {"zzz": 1}}, "model.zzz is not an option .backbone, kwargs"),
        ({"optimizer": {"lr": -1}}, "optimizer.lr = -1"),
        ({"model": {"head": "cam"}}, "model.head = 'cam'"),
        ({"views": {"weights": "separate", "use": "all"}}, "separate needs use"),
        ({"task": {"class_weight": {"Heart": 1}}}, "unknown classes: Heart"),
        ({"sweep": {"optimizer.rate": {"low": 0, "high": 1}}}, "optimizer.rate"),
        ({"labels": {"uncertain_range": [0.9, 0.1]}}, "must rise"),
        ({"init_from": "x"}, "names the recipe itself"),
        ({"task": {"kind": "auc_margin"}}, "cannot be uniform"),
    ],
)
def test_a_recipe_that_cannot_be_followed_says_where(content, message):
    with pytest.raises(BadRecipe, match=message):
        parse_recipe({"name": "x", **content})


def test_unknown_names_files_and_circles(tmp_path):
    with pytest.raises(UnknownName, match="demo_linear"):
        load_recipe("no_such_recipe")
    broken = tmp_path / "broken.yaml"
    broken.write_text("a: [1\nb: 2")
    with pytest.raises(BadRecipe, match="not YAML at line"):
        load_recipe(broken)
    circle = tmp_path / "circle.yaml"
    circle.write_text(f"extends: {circle}")
    with pytest.raises(BadRecipe, match="extends itself"):
        load_recipe(circle)


def test_extends_merges_sections_and_replaces_kwargs(tmp_path):
    path = tmp_path / "mine.yaml"
    path.write_text("extends: demo_linear\nmodel: {backbone: resnet10t, kwargs: {}}\ntraining: {seed: 9}\n")
    recipe, base = load_recipe(path), load_recipe("demo_linear")
    assert recipe.model.kwargs == {}
    assert recipe.model.head == base.model.head
    assert recipe.training.max_epochs == base.training.max_epochs
    assert recipe.training.seed == 9


def test_the_hash_ignores_words_for_people_only():
    recipe = load_recipe("demo_linear")
    assert recipe.hash == recipe.model_copy(update={"title": "other"}).hash
    assert recipe.hash != with_options(recipe, {"optimizer.lr": 0.5}).hash


def test_what_is_added_to_augmentation_is_identity_and_nothing_added_is_none():
    recipe = load_recipe("demo_linear")
    gamma = with_options(recipe, {"augmentation.also": [{"RandomGamma": {"gamma_limit": [70, 140]}}]})
    assert with_options(recipe, {"augmentation.also": []}).hash == recipe.hash != gamma.hash
    assert parse_recipe(gamma.model_dump(mode="json")) == gamma
    assert key_settings(gamma)["augmentation"] == "affine 0.8, jitter 0.5, RandomGamma 0.5"
    jsonschema.validate(gamma.model_dump(mode="json"), json_schema())


@pytest.mark.slow
@pytest.mark.parametrize(
    "name", [*TABLE_8, "original_hierarchical_pcam", "convnext_base", "efficientnet_b4", "deit_base"]
)
def test_large_recipes_run_one_step_at_full_architecture(name):
    """Batch 2 on the CPU: forward, loss, gradient, optimizer step."""
    import numpy as np

    from radia_pipeline.training.counted import Counted
    from radia_pipeline.training.models import Classifier
    from radia_pipeline.training.optimization import build_optimizer
    from radia_pipeline.training.tasks import Batch, BinaryTask, Objective

    recipe = load_recipe(name)
    side, channels = recipe.input.size_px, recipe.input.channel_count
    objective = Objective(Classifier(recipe), BinaryTask(recipe.task, Counted(np.ones(21), np.ones(21))))
    before = objective.classifier.heads[0].layer.weight.detach().clone()
    batch = Batch(
        torch.randn(2, 1, channels, side, side),
        torch.ones(2, 1, dtype=torch.bool),
        torch.rand(2, 21),
        torch.ones(2, 21, dtype=torch.bool),
        torch.ones(2, 21, dtype=torch.int8),
        torch.ones(2, 1),
        torch.arange(2),
    )
    optimizer = build_optimizer(recipe, objective)
    loss, logits = objective(batch, objective.task.denominator(batch))
    loss.backward()
    optimizer.step()
    assert logits.shape == (2, 21)
    assert torch.isfinite(loss)
    assert not torch.equal(before, objective.classifier.heads[0].layer.weight)


def test_every_option_is_explained():
    assert [option for option, _, _, words in recipe_page.options() if not words] == []


def test_a_recipe_of_another_vocabulary_is_refused_and_told_what_to_change():
    content = {"name": "old", "vocabulary": "0.9.0"}
    with pytest.raises(VocabularyMismatch, match=r"Recipe old speaks vocabulary 0\.9\.0"):
        parse_recipe(content)
    assert parse_recipe({"name": "old"}).hash == parse_recipe({"name": "old", "vocabulary": "1.0.0"}).hash


def test_a_recipe_that_names_no_class_goes_with_any_vocabulary(monkeypatch):
    later = replace(vocabulary(), version="7.0.0")
    monkeypatch.setattr(recipes, "vocabulary", lambda: later)
    assert parse_recipe({"name": "any"}).vocabulary is None
    named = {"name": "some", "classes": {"leave_out": ["Fracture"]}}
    with pytest.raises(VocabularyMismatch, match=r"Recipe some speaks vocabulary 1\.0\.0"):
        parse_recipe(named)
    assert parse_recipe({**named, "vocabulary": "7.0.0"}).classes.leave_out == ("Fracture",)


def own(folder, name: str, text: str) -> None:
    (folder / "recipes").mkdir(exist_ok=True)
    (folder / "recipes" / f"{name}.yaml").write_text(text)


def test_recipes_of_a_lake_lie_in_its_folder(tmp_path):
    own(tmp_path, "ours", "extends: smoke_linear\ntitle: ours\noptimizer: {lr: 0.002}\n")
    own(tmp_path, "theirs", "extends: ours\n")
    assert recipe_names(tmp_path) == (*recipe_names(), "ours", "theirs")
    assert load_recipe("theirs", tmp_path).optimizer.lr == 0.002
    assert load_recipe("ours_fold1", tmp_path).data.fold == 1
    with pytest.raises(UnknownName):
        load_recipe("ours")
    own(tmp_path, "demo_linear", "title: mine\n")
    with pytest.raises(BadRecipe, match="bears a shipped recipe's name"):
        load_recipe("demo_linear", tmp_path)


def test_settings_of_a_command_line_make_a_recipe_of_its_own():
    base = load_recipe("smoke_linear")
    first, second = (
        with_settings(base, {"optimizer.lr": lr, "data.sources": "[nih_cxr14]"}) for lr in ("1e-4", "2e-4")
    )
    assert (first.optimizer.lr, first.data.sources) == (1e-4, ("nih_cxr14",))
    assert first.name.startswith("smoke_linear_s") and first.name != second.name
    assert with_settings(base, {"name": "mine"}).name == "mine"
    assert with_settings(base, {}) == base
    with pytest.raises(BadRecipe, match=r"optimizer\.rate"):
        with_settings(base, {"optimizer.rate": "1"})


def test_a_class_to_leave_out_has_to_be_one():
    with pytest.raises(BadRecipe, match="names unknown classes: Ribs"):
        parse_recipe({"name": "x", "classes": {"leave_out": ["Ribs"]}})
    lesions = {"name": "x", "classes": {"leave_out": ["Fracture", "Lung Lesion"]}}
    assert parse_recipe(lesions).classes.leave_out == ("Fracture", "Lung Lesion")
    with pytest.raises(BadRecipe, match="leaves out a parent of Mass, Nodule"):
        parse_recipe({**lesions, "task": {"inference": "hierarchy"}})
