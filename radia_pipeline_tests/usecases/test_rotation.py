"""A rotated key: every id is another one, nothing else is; pools stay; killed it goes on; forgetting works."""

from __future__ import annotations

import re
import shutil

import pytest

from radia_pipeline.cli.main import main
from radia_pipeline.cohort.ledger import read_ledger
from radia_pipeline.cohort.link_decisions import CONFIRMED, NEAR_DUPLICATE, REJECTED, decide, decisions
from radia_pipeline.cohort.links import LINKED
from radia_pipeline.dicom.ingest import ingest_images
from radia_pipeline.errors import BadInput, KeyMismatch
from radia_pipeline.lake import renamed
from radia_pipeline.lake.keys import KEY_VARIABLE, NEW_KEY_VARIABLE, Pseudonymizer
from radia_pipeline.lake.lake import Lake
from radia_pipeline.readings.access import AccessLog
from radia_pipeline.readings.in_force import publish_reviews
from radia_pipeline.readings.membership import read_sets, require_as_closed
from radia_pipeline.readings.store import Store, lines_of
from radia_pipeline.training.model_folders import read_card
from radia_pipeline.training.studies import manifest_versions
from radia_pipeline.usecases import rotation
from radia_pipeline.usecases.forget import forget_patients
from radia_pipeline_tests.dicom import files
from radia_pipeline_tests.governance_page import unlisted
from radia_pipeline_tests.readings.worlds import reading, with_set
from radia_pipeline_tests.usecases.whole_lakes import KEY, SOURCE, make_whole_lake

OLD, NEW = Pseudonymizer(KEY.encode()), Pseudonymizer(b"a key that follows, in tests alone")
SET = "test-1234abcd"


@pytest.fixture(scope="module")
def standing(tmp_path_factory) -> Lake:
    lake = make_whole_lake(tmp_path_factory.mktemp("rotation"))
    studies = lake.read("manifest", SOURCE)["study_id"].to_pylist()
    with_set(lake, *studies[:4], set_id=SET, source=SOURCE)
    Store(lake).append(reading(source=SOURCE, study_id=studies[0], set_id=SET))
    AccessLog(lake).image("r1", studies[0])
    publish_reviews(lake)
    return lake


@pytest.fixture
def lake(standing, tmp_path) -> Lake:
    for name in ("lake", "lake.history", "delivery"):
        shutil.copytree(standing.root.parent / name, tmp_path / name)
    return Lake.open(tmp_path / "lake", create=False)


def tables(lake: Lake) -> dict[str, list[dict]]:
    return {place.name: lake.read(*place.name.split("/", 1)).to_pylist() for place in lake.places()}


def renamed_by(key: Pseudonymizer, said: dict[str, list[dict]], ids: set[str]) -> dict[str, set[str]]:
    """Return the tables' rows as texts in which every old id was replaced, in any order."""

    def one(match: re.Match) -> str:
        folder, new = match[1], key.rotated(match[2])
        if match[2] not in ids:
            return match[0]
        return f"{new[: len(folder) - 1]}/{new}" if folder else new

    def text(row: dict) -> str:
        kept = {name: value for name, value in row.items() if name not in ("group_id", "members_sha256")}
        return re.sub(r"([0-9a-f]{2,3}/)?\b([0-9a-f]{32})\b", one, repr(kept))

    return {name: {text(row) for row in rows} for name, rows in said.items()}


def ids_of(lake: Lake) -> set[str]:
    return {
        row[name]
        for rows in tables(lake).values()
        for row in rows
        for name in ("patient_key", "study_id", "image_id", "file_id")
        if row.get(name)
    }


def test_tables_are_the_same_but_ids_and_pools_stay(lake):
    before, ids, ledger = tables(lake), ids_of(lake), read_ledger(lake)
    readings = [line for _, line in lines_of(lake)]
    versions, chain = manifest_versions(lake, None), (lake.root / "reviews" / "readings.jsonl").read_bytes()
    done = rotation.rotate(lake, OLD, NEW)
    assert (done.ids, done.pictures) == (len(ids), 8)
    assert not ids & ids_of(lake)
    assert renamed_by(NEW, tables(lake), set()) == renamed_by(NEW, before, ids)
    now = read_ledger(lake)
    assert {key: (one.pool, one.fold) for key, one in now.placements.items()} == {
        NEW.rotated(key): (one.pool, one.fold) for key, one in ledger.placements.items()
    }
    assert (lake.root / "reviews" / "readings.jsonl").read_bytes() == chain
    assert [line.reading.study_id for _, line in lines_of(lake) if line.kind == "read"] == [
        NEW.rotated(line.reading.study_id) for line in readings if line.kind == "read"
    ]
    assert [one.study_id in ids_of(lake) for one in AccessLog(lake).entries()] == [True]
    require_as_closed(SET, read_sets(lake)[SET], Store(lake).closings(SET))
    for row in lake.read("images", SOURCE).to_pylist():
        assert (lake.root / row["path"]).is_file() and row["image_id"] in row["path"]
    for rows in tables(lake).values():  # a group is named after its smallest member
        assert {row["group_id"] for row in rows if "group_id" in row} <= set(now.placements) | ids_of(lake)
    assert manifest_versions(lake, None) == versions  # no training is made anew
    card = read_card(next(lake.models_dir.glob("*/*/model.json")).parent)
    for version in card.get("manifest_versions", {}).values():
        lake.read_version("manifest", SOURCE, version)
    old = next(iter(ids))
    assert not any(old.encode() in path.read_bytes() for path in lake.root.rglob("*.json"))
    assert not (lake.root / "_rotating").exists() and not list(lake.root.glob("*.html"))
    assert unlisted(lake.root) == []


@pytest.mark.parametrize("characters", [2, 3])
def test_a_picture_goes_into_the_folder_of_its_new_name_and_one_elsewhere_stays(lake, characters):
    row = lake.read("images", SOURCE).to_pylist()[0]
    picture, old, new = lake.root / row["path"], row["image_id"], NEW.rotated(row["image_id"])
    there = picture.parent.with_name(old[:characters]) / picture.name
    there.parent.mkdir(exist_ok=True)
    picture.rename(there)
    elsewhere = lake.pixels_dir / SOURCE / "ab0" / picture.name
    elsewhere.parent.mkdir(exist_ok=True)
    shutil.copy(there, elsewhere)
    rotation.rotate(lake, OLD, NEW)
    assert (lake.pixels_dir / SOURCE / new[:characters] / f"{new}.png").is_file()
    assert (elsewhere.parent / f"{new}.png").is_file() and not list(lake.pixels_dir.rglob(f"{old}*"))


def test_what_was_decided_about_links_holds_for_the_new_ids(lake):
    """Also where the new ids of a pair sort the other way round, and where an image of it has gone."""
    images = lake.read("images", SOURCE).to_pylist()
    pairs = {REJECTED: images[:2], CONFIRMED: images[2:4]}
    lake.write("image_links", [_near_duplicate(*ends) for ends in pairs.values()])
    for kind, ends in pairs.items():
        decide(lake, kind, *(end["image_id"] for end in ends), by="A. Steward", reason="looked at both")
    lake.write("image_links", [_near_duplicate(*pairs[REJECTED])])
    rotation.rotate(lake, OLD, NEW)
    assert {pair: said.kind for pair, said in decisions(lake).items()} == {
        tuple(sorted(NEW.rotated(end["image_id"]) for end in ends)): kind for kind, ends in pairs.items()
    }
    (row,) = lake.read("image_links").to_pylist()
    again = sorted((row["image_id_a"], row["image_id_b"]))
    assert decide(lake, CONFIRMED, *again, by="A. Steward", reason="one film").kind == CONFIRMED
    assert decisions(lake)[tuple(again)].kind == CONFIRMED


def _near_duplicate(one: dict, other: dict) -> dict:
    first, second = sorted((one, other), key=lambda end: end["image_id"])
    ends = {
        f"{name}_{place}": end[name]
        for place, end in (("a", first), ("b", second))
        for name in ("source", "image_id", "patient_key")
    }
    return {**ends, "kind": NEAR_DUPLICATE, "distance": 0.1, "state": LINKED}


def test_deliveries_go_on_under_the_new_key_alone(lake, tmp_path):
    rotation.rotate(lake, OLD, NEW)
    with pytest.raises(KeyMismatch):
        OLD.bind(lake)
    keys = Pseudonymizer(b"a key that follows, in tests alone")
    keys.bind(lake)
    before = lake.version("images", SOURCE)
    again = ingest_images(
        files.Delivery(tmp_path / "delivery"), tmp_path / "delivery", lake, keys, ocr="off", workers=1
    )
    assert (again.examined, again.ingested) == (0, 8) and lake.version("images", SOURCE) == before
    more = files.Delivery(tmp_path / "delivery")
    more.put("more.dcm", files.clean_file(99, patient="CC0001"))
    ingest_images(more, more.root, lake, keys, ocr="off", workers=1)
    rows = lake.read("images", SOURCE).to_pylist()
    assert len(rows) == 9 and len({row["patient_key"] for row in rows}) == 4  # the patient is known again
    assert KEY.encode() not in (lake.root / "keys.json").read_bytes()
    assert (lake.root / "keys.json").stat().st_mode & 0o777 == 0o600


STEPS = (
    "_rename_pictures",
    "_rename_in_journal",
    "_rewrite_tables",
    "_rewrite_pinned",
    "_delete_what_was_named_otherwise",
)
INSIDE = ("keep_names", "swap_keys", "end")


@pytest.mark.parametrize("step", [*STEPS, *INSIDE])
@pytest.mark.parametrize("is_done", [False, True])
def test_killed_anywhere_it_goes_on(lake, tmp_path, monkeypatch, step, is_done):
    shutil.copytree(lake.root, tmp_path / "whole")
    whole = Lake(tmp_path / "whole")
    rotation.rotate(whole, OLD, NEW)
    owner = rotation if step in STEPS else rotation._Plan
    work = getattr(owner, step)

    def killed(*given):
        if is_done:
            work(*given)
        raise KeyboardInterrupt

    with monkeypatch.context() as kills:
        kills.setattr(owner, step, killed)
        with pytest.raises(KeyboardInterrupt):
            rotation.rotate(lake, OLD, NEW)
    if (step, is_done) == ("end", True):
        NEW.bind(lake)
    else:
        for key in (OLD, NEW):
            with pytest.raises(KeyMismatch, match="was not ended"):
                key.bind(lake)
        with pytest.raises(KeyMismatch, match="another key"):
            rotation.rotate(lake, OLD, Pseudonymizer(b"a third key of more than sixteen"))
        rotation.rotate(lake, OLD, NEW)
    assert tables(lake) == tables(whole)
    assert read_ledger(lake) == read_ledger(whole)
    assert renamed.names(lake.root) == renamed.names(whole.root)
    assert [line for _, line in lines_of(lake)] == [line for _, line in lines_of(whole)]


def test_killed_between_two_tables_it_goes_on(lake, tmp_path, monkeypatch):
    shutil.copytree(lake.root, tmp_path / "whole")
    rotation.rotate(whole := Lake(tmp_path / "whole"), OLD, NEW)
    for _ in range(3):
        left, work = [1], Lake.write

        def killed(self, *given, left=left, work=work):
            left[0] -= 1
            if left[0] < 0:
                raise KeyboardInterrupt
            return work(self, *given)

        with monkeypatch.context() as kills, pytest.raises(KeyboardInterrupt):
            kills.setattr(Lake, "write", killed)
            rotation.rotate(lake, OLD, NEW)
    rotation.rotate(lake, OLD, NEW)
    assert tables(lake) == tables(whole)


@pytest.mark.parametrize("is_rotated", [False, True])
def test_forgetting_works_before_and_after(lake, is_rotated):
    read = {line.reading.study_id for _, line in lines_of(lake) if line.kind == "read"}
    images = lake.read("images", SOURCE).to_pylist()
    gone = next(row["patient_key"] for row in images if row["study_id"] in read)
    mine = {row["study_id"] for row in images if row["patient_key"] == gone}
    count = sum(line.reading.study_id in mine for _, line in lines_of(lake) if line.kind == "read")
    if is_rotated:
        rotation.rotate(lake, OLD, NEW)
        with pytest.raises(BadInput):
            forget_patients([gone], lake)
        gone, mine = NEW.rotated(gone), {NEW.rotated(study) for study in mine}
    result = forget_patients([gone], lake)
    assert (result.patients, result.pictures) == (1, 2) and result.journal_lines == 2
    assert result.review_marks == count > 0
    if not is_rotated:
        rotation.rotate(lake, OLD, NEW)
        gone, mine = NEW.rotated(gone), {NEW.rotated(study) for study in mine}
    assert gone not in {row.get("patient_key") for rows in tables(lake).values() for row in rows}
    assert not mine & {line.reading.study_id for _, line in lines_of(lake) if line and line.kind == "read"}
    assert gone in read_ledger(lake).placements  # on purpose: who is delivered again keeps the pool


def test_twice_rotated_the_chains_still_follow(lake):
    third = Pseudonymizer(b"a third key of more than sixteen")
    studies = [line.reading.study_id for _, line in lines_of(lake) if line.kind == "read"]
    rotation.rotate(lake, OLD, NEW)
    Store(lake).append(reading(source=SOURCE, study_id=NEW.rotated(studies[1]), set_id=SET, reader="r2"))
    rotation.rotate(lake, NEW, third)
    wanted = [third.rotated(NEW.rotated(study)) for study in [*studies, studies[1]]]
    assert [line.reading.study_id for _, line in lines_of(lake) if line.kind == "read"] == wanted
    assert set(wanted) <= set(lake.read("manifest", SOURCE)["study_id"].to_pylist())
    keys = Pseudonymizer(b"a third key of more than sixteen")
    keys.bind(lake)
    assert keys.patient_key(SOURCE, "CC0001") in lake.read("images", SOURCE)["patient_key"].to_pylist()


def test_the_command_takes_both_keys_from_the_environment(lake, monkeypatch, capsys):
    words = ["keys", "rotate", "--lake", str(lake.root)]
    monkeypatch.setenv(KEY_VARIABLE, KEY)
    assert main(words) == 2
    monkeypatch.setenv(NEW_KEY_VARIABLE, KEY)
    assert main(words) == 2
    monkeypatch.setenv(NEW_KEY_VARIABLE, "short")
    assert main(words) == 2
    monkeypatch.setenv(NEW_KEY_VARIABLE, "a key that follows, in tests alone")
    assert main(words) == 0
    said = capsys.readouterr()
    assert OLD.fingerprint[:12] in said.out and KEY not in said.out + said.err
    assert main(words) == 2  # the old key is the lake's no more
