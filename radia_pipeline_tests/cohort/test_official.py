"""Publishers' splits as a policy: read from each layout, fixed at the first placement, refused when changed."""

from __future__ import annotations

import gzip
import shutil

import pytest

from radia_pipeline.cohort.ledger import restore
from radia_pipeline.cohort.official import held_patients, official_splits, place_patients, policy_of
from radia_pipeline.cohort.placement import SplitPolicy, pool_by_list
from radia_pipeline.cohort.splits import build_splits
from radia_pipeline.errors import BadInput, NoLayout
from radia_pipeline.phantom.write import write_phantom
from radia_pipeline.sources.registry import source
from radia_pipeline_tests.cohort.lakes import KEYS, image_row, new_lake, pools_of, put_images

PUBLIC = ("chexpert", "mimic_cxr", "nih_cxr14", "padchest", "vindr_cxr")


@pytest.fixture(scope="module")
def deliveries(tmp_path_factory):
    """Return phantom deliveries of the public sources, NIH's with its published lists."""
    root = tmp_path_factory.mktemp("deliveries")
    write_phantom(root, seed=3, patients=dict.fromkeys(PUBLIC, 24), size_px=64)
    nih = source("nih_cxr14")
    facts = nih.facts(root / "nih_cxr14").values()
    lists = {"test_list.txt": [], "train_val_list.txt": []}
    for one in facts:
        lists["test_list.txt" if int(one.native_patient_id) % 4 == 0 else "train_val_list.txt"].append(
            one.native_image_id
        )
    for name, images in lists.items():
        (root / "nih_cxr14" / name).write_text("".join(f"{image}\n" for image in images), encoding="utf-8")
    return root


def lake_of(tmp_path, deliveries, names=PUBLIC):
    """Return a lake with one ``images`` row for each delivered file, as ingest names it."""
    lake = new_lake(tmp_path)
    for name in names:
        facts = source(name).facts(source(name).locate(deliveries))
        rows = [image_row(name, f.native_image_id, f.native_patient_id, f.native_study_id) for f in facts.values()]
        put_images(lake, name, rows)
    return lake


def test_every_layout_with_lists_gives_its_patients_their_pool(tmp_path, deliveries):
    lake = lake_of(tmp_path, deliveries)
    found = official_splits(lake, KEYS, deliveries)
    assert set(found.patients["chexpert"]) == {"train", "validation"}
    assert set(found.patients["mimic_cxr"]) == {"train", "validation", "test"}
    assert set(found.patients["nih_cxr14"]) == {"train_or_validation", "test"}
    assert set(found.patients["vindr_cxr"]) == {"train", "test"}
    assert found.patients["padchest"] == {}
    assert found.mixed == 0


def test_respected_lists_become_pools_and_the_rest_is_placed_by_hash(tmp_path, deliveries):
    lake = lake_of(tmp_path, deliveries)
    listed = official_splits(lake, KEYS, deliveries).pools
    result = place_patients(lake, KEYS, deliveries, "respect")
    assert result.official_split == "respect"
    held = held_patients(lake, KEYS, deliveries)
    assert result.reasons["official"] == len(set(listed) - set(held))
    assert result.reasons["held"] == result.held == len(held) > 0
    assert result.reasons["hash"] == 24  # PadChest publishes no split
    pools = pools_of(lake)
    assert all(pools[key] == pool for key, pool in listed.items() if pool != "train_or_validation")
    assert all(pools[key] == pool for key, pool in held.items())
    assert "test" not in {pools[key] for key, pool in listed.items() if pool == "train_or_validation"}


def test_a_list_of_train_and_validation_is_divided_in_the_proportion_of_the_shares():
    pools = [pool_by_list(f"{n:032x}", "train_or_validation", SplitPolicy()) for n in range(9_000)]
    assert set(pools) == {"train", "validation"}
    assert abs(pools.count("validation") / len(pools) - 1 / 9) < 0.01


def test_without_a_choice_the_lists_are_ignored_and_the_ledger_rules_later(tmp_path, deliveries):
    lake = lake_of(tmp_path, deliveries, ("nih_cxr14",))
    assert place_patients(lake, KEYS, deliveries).reasons == {"hash": 24}
    assert policy_of(lake) == SplitPolicy()
    with pytest.raises(BadInput, match="official_split: ignore"):
        place_patients(lake, KEYS, deliveries, "respect")


def test_a_respecting_lake_stays_so_without_being_told_again(tmp_path, deliveries):
    lake = lake_of(tmp_path, deliveries, ("nih_cxr14",))
    first = place_patients(lake, KEYS, deliveries, "respect")
    assert place_patients(lake, KEYS, deliveries).version == first.version
    with pytest.raises(BadInput, match="official_split: respect"):
        policy_of(lake, "ignore")
    with pytest.raises(BadInput, match="respect"):
        build_splits(lake)


def test_new_patients_are_not_placed_without_their_list(tmp_path, deliveries):
    lake = lake_of(tmp_path, deliveries, ("mimic_cxr",))
    with pytest.raises(NoLayout, match="official split of mimic_cxr"):
        place_patients(lake, KEYS, tmp_path / "gone", "respect")
    assert not lake.exists("splits")
    place_patients(lake, KEYS, deliveries, "respect")
    assert place_patients(lake, KEYS, tmp_path / "gone").placed == 0  # everybody is known: no list is needed


def test_a_patient_in_two_lists_goes_to_the_higher_one_and_is_counted(tmp_path, deliveries):
    copy = tmp_path / "copy"
    shutil.copytree(deliveries / "mimic_cxr", copy / "mimic_cxr")
    path = next((copy / "mimic_cxr").glob("*split.csv.gz"))
    lines = gzip.decompress(path.read_bytes()).decode().splitlines()
    row = next(n for n, line in enumerate(lines) if line.endswith(",train"))
    patient = lines[row].split(",")[2]
    twin = [n for n, line in enumerate(lines) if line.split(",")[2] == patient]
    if len(twin) < 2:
        lines.append(lines[row])
    lines[row] = lines[row].removesuffix("train") + "test"
    path.write_bytes(gzip.compress("\n".join(lines).encode()))
    found = official_splits(lake_of(tmp_path, copy, ("mimic_cxr",)), KEYS, copy)
    assert found.pools[KEYS.patient_key("mimic_cxr", f"p{patient}")] == "test"
    assert found.mixed == (1 if len(twin) > 1 else 0)


def test_nobody_of_nihs_real_lists_stands_on_both_sides(real_root):
    from radia_pipeline.sources.nih_cxr14 import SPLIT_LISTS, read_lines

    tables = real_root / "tables"
    patients = {
        pool: {line.split("_")[0] for line in read_lines(tables / f"{names[0]}.gz")}
        for pool, names in SPLIT_LISTS.items()
        if pool != "train_or_validation"
    }
    assert {pool: len(found) for pool, found in patients.items()}["test"] > 2_000
    assert not patients["train"] & patients["test"]
    assert not patients["validation"] & patients["test"]


@pytest.mark.parametrize("policy", ["ignore", "respect"])
def test_nobody_of_a_held_split_is_trained_on_under_either_policy(tmp_path, deliveries, policy):
    lake = lake_of(tmp_path, deliveries)
    result = place_patients(lake, KEYS, deliveries, policy)
    rows = {row["patient_key"]: row for row in lake.read("splits").to_pylist()}
    expected = {}
    places = {"chexpert": ("valid", "validation"), "mimic_cxr": ("test", "test"), "vindr_cxr": ("test", "test")}
    for name, (split, pool) in places.items():
        for facts in source(name).facts(source(name).locate(deliveries)).values():
            if facts.held_in is not None:
                assert facts.held_in == split
                expected[KEYS.patient_key(name, facts.native_patient_id)] = pool
    assert {key: row["pool"] for key, row in rows.items() if row["excluded"] == "held"} == expected
    assert (result.held, result.moved_to_held) == (len(expected), {})


def test_a_lake_that_stands_moves_them_once_with_a_line_each(tmp_path, deliveries):
    lake = lake_of(tmp_path, deliveries, ("chexpert", "vindr_cxr"))
    build_splits(lake)  # as an earlier release placed them: all by hash
    before, ledger = pools_of(lake), lake.ledger_path.read_bytes()
    held = held_patients(lake, KEYS, deliveries)
    trained = [key for key in held if before[key] == "train"]
    assert trained
    result = place_patients(lake, KEYS, deliveries)
    assert sum(result.moved_to_held.values()) == result.held == len(held)
    assert (result.moved_to_held["train"], result.placed) == (len(trained), 0)
    assert lake.ledger_path.read_bytes().startswith(ledger)
    after = pools_of(lake)
    assert {key: pool for key, pool in after.items() if key not in held} == {
        key: pool for key, pool in before.items() if key not in held
    }
    assert place_patients(lake, KEYS, deliveries).version == result.version
    assert place_patients(lake, KEYS, tmp_path / "gone").moved_to_held == {}  # the ledger knows them
    assert pools_of(lake) == after
    lake.ledger_path.write_bytes(lake.ledger_path.read_bytes()[:-40])
    restore(lake)
    assert place_patients(lake, KEYS, deliveries).version == result.version


def test_new_patients_of_a_source_with_held_splits_are_not_placed_without_its_delivery(tmp_path, deliveries):
    lake = lake_of(tmp_path, deliveries, ("vindr_cxr",))
    with pytest.raises(NoLayout, match="vindr_cxr"):
        place_patients(lake, KEYS, tmp_path / "gone")
    assert not lake.exists("splits")
