"""Building ``splits`` in a lake: what is read, refused, excluded and written to the ledger."""

from __future__ import annotations

import pytest

from radia_pipeline.cohort.ledger import read_ledger, restore
from radia_pipeline.cohort.placement import SplitPolicy
from radia_pipeline.cohort.splits import build_splits
from radia_pipeline.errors import BadInput, ContractViolation, EmptyPool, LedgerDamaged, MissingTable
from radia_pipeline_tests.cohort.lakes import (
    KEYS,
    image_row,
    new_lake,
    one_image_per_patient,
    pools_of,
    put_images,
    put_links,
)

MANY = [f"p{number}" for number in range(60)]


def in_pool(lake, source: str, names: list[str], pool: str) -> str:
    pools = pools_of(lake)
    return next(name for name in names if pools[KEYS.patient_key(source, name)] == pool)


def test_unchanged_input_gives_the_same_version_and_no_new_line(tmp_path):
    lake = new_lake(tmp_path)
    one_image_per_patient(lake, "ccsmtl", MANY)
    first = build_splits(lake)
    ledger = lake.ledger_path.read_bytes()
    second = build_splits(lake)
    assert (second.version, second.placed) == (first.version, 0)
    assert lake.ledger_path.read_bytes() == ledger


def test_growth_appends_and_moves_nobody(tmp_path):
    lake = new_lake(tmp_path)
    one_image_per_patient(lake, "ccsmtl", MANY[:30])
    build_splits(lake)
    before, ledger = pools_of(lake), lake.ledger_path.read_bytes()
    one_image_per_patient(lake, "ccsmtl", MANY)
    one_image_per_patient(lake, "nih_cxr14", MANY)
    result = build_splits(lake)
    assert result.sources == ("ccsmtl", "nih_cxr14")
    assert result.placed == 90
    assert lake.ledger_path.read_bytes().startswith(ledger)
    assert pools_of(lake).items() >= before.items()


def test_a_late_link_between_sources_excludes_the_train_side(tmp_path):
    lake = new_lake(tmp_path)
    one_image_per_patient(lake, "ccsmtl", MANY)
    one_image_per_patient(lake, "nih_cxr14", MANY)
    build_splits(lake)
    trained, tested = in_pool(lake, "ccsmtl", MANY, "train"), in_pool(lake, "nih_cxr14", MANY, "test")
    put_links(lake, [(("ccsmtl", f"{trained}.png", trained), ("nih_cxr14", f"{tested}.png", tested))])
    result = build_splits(lake)
    excluded = [row["patient_key"] for row in lake.read("splits").to_pylist() if row["excluded"] == "late_link"]
    assert result.excluded == 1
    assert excluded == [KEYS.patient_key("ccsmtl", trained)]
    assert pools_of(lake)[excluded[0]] == "train"


def test_a_patient_known_only_by_a_dropped_duplicate_has_a_pool(tmp_path):
    lake = new_lake(tmp_path)
    one_image_per_patient(lake, "ccsmtl", ["p0"])
    digest = "a" * 64
    duplicate = {
        "source": "ccsmtl",
        "file_id": "b" * 32,
        "file_sha256": digest,
        "delivered_path": "x",
        "kind": "same_pixels",
        "kept_image_id": KEYS.image_id("ccsmtl", "p0.png"),
        "patient_key": KEYS.patient_key("ccsmtl", "p19"),
        "study_id": None,
        "pixel_sha256": digest,
    }
    lake.write("duplicates", [duplicate], "ccsmtl")
    put_links(lake, [(("ccsmtl", "p0.png", "p0"), ("ccsmtl", "again", "p19"))], kind="dropped_duplicate")
    build_splits(lake)
    rows = lake.read("splits").to_pylist()
    assert len(rows) == 2
    assert len({row["group_id"] for row in rows}) == 1


def test_same_pixels_in_two_pools_are_refused_before_publishing(tmp_path):
    lake = new_lake(tmp_path)
    one_image_per_patient(lake, "ccsmtl", MANY)
    build_splits(lake)
    train, test = in_pool(lake, "ccsmtl", MANY, "train"), in_pool(lake, "ccsmtl", MANY, "test")
    version, ledger = lake.version("splits"), lake.ledger_path.read_bytes()
    rows = [image_row("ccsmtl", f"{name}.png", name, pixels="x" if name in (train, test) else name) for name in MANY]
    put_images(lake, "ccsmtl", rows)
    with pytest.raises(ContractViolation, match="same pixels"):
        build_splits(lake)
    assert (lake.version("splits"), lake.ledger_path.read_bytes()) == (version, ledger)


def test_nobody_to_place_is_a_clear_error(tmp_path):
    lake = new_lake(tmp_path)
    with pytest.raises((EmptyPool, MissingTable)):
        build_splits(lake)


def test_official_splits_are_respected_at_first_placement_only(tmp_path):
    lake = new_lake(tmp_path)
    one_image_per_patient(lake, "nih_cxr14", MANY)
    official = {KEYS.patient_key("nih_cxr14", name): "test" for name in MANY[:20]}
    policy = SplitPolicy(official_split="respect")
    result = build_splits(lake, policy, official=official)
    assert result.reasons["official"] == 20
    assert all(pools_of(lake)[key] == "test" for key in official)
    moved = dict.fromkeys(official, "train")
    build_splits(lake, policy, official=moved)
    assert all(pools_of(lake)[key] == "test" for key in official)
    with pytest.raises(BadInput, match="policy"):
        build_splits(lake)


@pytest.mark.parametrize(
    ("harm", "line"),
    [
        (
            lambda lines: [
                *lines[:3],
                lines[3].replace(b'"train"', b'"test"').replace(b'"validation"', b'"test"'),
                *lines[4:],
            ],
            4,
        ),
        (lambda lines: [*lines[:3], *lines[4:]], 4),
        (lambda lines: [*lines[:3], lines[4], lines[3], *lines[5:]], 4),
        (lambda lines: [*lines[:5], b"not a line\n", *lines[5:]], 6),
        (lambda lines: [*lines[:-1], lines[-1][:-9]], 61),
        (lambda lines: [b"\xff\xfe", *lines], 1),
    ],
    ids=["edited", "lost", "swapped", "foreign", "cut", "bytes"],
)
def test_a_damaged_ledger_is_refused_with_its_line_and_can_be_restored(tmp_path, harm, line):
    lake = new_lake(tmp_path)
    one_image_per_patient(lake, "ccsmtl", MANY)
    version = build_splits(lake).version
    before = pools_of(lake)
    lines = lake.ledger_path.read_bytes().splitlines(keepends=True)
    if harm(lines) == lines:
        pytest.skip("the fourth line is in the test pool already")
    lake.ledger_path.write_bytes(b"".join(harm(lines)))
    with pytest.raises(LedgerDamaged, match=f"line {line}:") as caught:
        build_splits(lake)
    assert version in str(caught.value)
    assert not any(key in str(caught.value) for key in before)
    assert restore(lake) == len(before)
    assert build_splits(lake).version == version
    assert pools_of(lake) == before


def test_a_vanished_or_older_ledger_is_refused(tmp_path):
    lake = new_lake(tmp_path)
    one_image_per_patient(lake, "ccsmtl", MANY[:10])
    build_splits(lake)
    older = lake.ledger_path.read_bytes()
    one_image_per_patient(lake, "ccsmtl", MANY)
    build_splits(lake)
    lake.ledger_path.write_bytes(older)
    with pytest.raises(LedgerDamaged, match="line 11"):
        build_splits(lake)
    lake.ledger_path.unlink()
    with pytest.raises(LedgerDamaged, match="gone"):
        build_splits(lake)
    assert restore(lake) == 60
    assert len(read_ledger(lake).placements) == 60
