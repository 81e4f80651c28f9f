"""The graph: what it holds, how it hangs together and how it is cut into runs."""

from __future__ import annotations

import dagster as dg
import pytest

from radia_pipeline.contracts.tables import contract_names
from radia_pipeline.defs.build import build_defs
from radia_pipeline.defs.jobs import GROUP_JOBS
from radia_pipeline.defs.pipeline import make_plan
from radia_pipeline.errors import UnknownName
from radia_pipeline.sources.registry import registered
from radia_pipeline.training.fold_members import fold_members
from radia_pipeline.training.recipes import recipe_names
from radia_pipeline_tests import generated
from radia_pipeline_tests.generated import RECIPES


@pytest.fixture(scope="module")
def definitions(tmp_path_factory):
    return build_defs(lake_root=tmp_path_factory.mktemp("lake"), recipes=RECIPES)


@pytest.fixture(scope="module")
def graph(definitions):
    return definitions.resolve_asset_graph()


def test_the_definitions_load(definitions):
    dg.Definitions.validate_loadable(definitions)


def test_every_contract_is_an_asset_and_every_table_asset_has_a_contract():
    keys = {key.path[0] for key in generated.definitions().resolve_asset_graph().get_all_asset_keys()}
    assert set(contract_names()) <= keys
    assert keys - set(contract_names()) == {"classifiers", "detector"}


def test_every_asset_is_described_and_owned_and_has_a_kind(graph):
    for key in graph.get_all_asset_keys():
        node = graph.get(key)
        assert node.description, key
        assert node.owners, key
        assert any(tag.startswith("dagster/kind/") for tag in node.tags), key


def test_every_group_has_its_job(definitions, graph):
    groups = {graph.get(key).group_name for key in graph.materializable_asset_keys}
    assert groups == set(GROUP_JOBS)
    for name in GROUP_JOBS:
        assert definitions.resolve_job_def(name)


def test_partitions_are_the_registered_sources(graph):
    partitions = graph.get(dg.AssetKey("images")).partitions_def
    assert tuple(partitions.get_partition_keys()) == registered()


def test_a_lake_without_settings_has_one_classifier_for_each_recipe_file(tmp_path):
    keys = build_defs(lake_root=tmp_path).resolve_asset_graph().get_all_asset_keys()
    assert {key.path[1] for key in keys if key.path[0] == "classifiers"} == set(recipe_names())


def test_runs_go_source_by_source_and_follow_the_data(definitions):
    runs = make_plan(definitions, ["ccsmtl", "nih_cxr14"]).runs
    order = {name: place for place, run in enumerate(runs) for name in run.names}
    assert order["images"] < order["splits"] < order["manifest"] < order["scorecard"] <= order["pseudo_boxes"]
    assert order["pseudo_boxes"] < order["detector"]
    assert [run.partition for run in runs if "images" in run.names] == ["ccsmtl", "nih_cxr14"]


def test_trainings_stand_in_one_batch_each_in_a_run_of_its_own(definitions):
    batches = make_plan(definitions, ["ccsmtl"]).batches
    together = [batch for batch in batches if any("classifiers" in name for run in batch for name in run.names)]
    assert [[run.names for run in batch] for batch in together] == [[(f"classifiers/{name}",) for name in RECIPES]]


def test_a_recipe_trained_by_folds_answers_for_the_train_pool_once_all_of_them_are_there(tmp_path):
    def answers(*recipes: str) -> set[str]:
        keys = build_defs(lake_root=tmp_path, recipes=recipes).resolve_asset_graph().get_all_asset_keys()
        return {key.path[1] for key in keys if key.path[0] == "predictions_out_of_fold"}

    members = fold_members("smoke_linear")
    assert answers(*members, "smoke_pcam_fold1") == {"smoke_linear"}
    assert answers("smoke_linear", *members[:4]) == set()


def test_until_makes_an_asset_and_what_it_needs_and_nothing_else(definitions):
    names = {name for run in make_plan(definitions, ["ccsmtl"], "splits").runs for name in run.names}
    assert names == {"images", "quarantine", "duplicates", "image_links", "splits"}
    with pytest.raises(UnknownName, match="Unknown asset 'split'"):
        make_plan(definitions, ["ccsmtl"], "split")
