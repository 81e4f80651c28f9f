"""Every delivered file ends in exactly one place, whatever the order, the workers, the history or the damage."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import textwrap
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from radia_pipeline.dicom import png16
from radia_pipeline.dicom.examine import Task, examine
from radia_pipeline.dicom.ingest import IngestResult, ingest_images
from radia_pipeline.dicom.inventory import Inventory
from radia_pipeline.dicom.journal import Entry, Journal
from radia_pipeline.dicom.resolve import CONFLICT, KEPT, path_order, resolve
from radia_pipeline.errors import LakeUnwritable, NoLayout, RunFailed
from radia_pipeline.lake.keys import Pseudonymizer
from radia_pipeline.lake.lake import Lake
from radia_pipeline.privacy import reasons
from radia_pipeline_tests.dicom import files

TABLES = ("images", "quarantine", "duplicates")


@pytest.fixture
def keys() -> Pseudonymizer:
    return Pseudonymizer(b"0123456789abcdef0123456789abcdef")


@pytest.fixture
def delivery(tmp_path: Path) -> files.Delivery:
    here = files.Delivery(tmp_path / "delivery")
    for number, syntax in enumerate(files.EXACT, 1):
        here.put(f"a/{number:04d}.dcm", files.clean_file(number, syntax=syntax))
    here.put("a/0001 (copie).dcm", files.clean_file(1))
    here.put("b/again.dcm", files.to_bytes(files.dataset(files.picture(2), number=90, patient="CC0099")))
    here.put("b/conflict.dcm", files.to_bytes(files.dataset(files.picture(55), number=3)))
    here.put("empty.dcm", b"")
    here.put("page.dcm", b"<html>404</html>")
    here.put("cut.dcm", files.clean_file(4)[:-500])
    here.put("named.dcm", files.clean_file(70, PatientBirthDate="19540312"))
    return here


def run(delivery: files.Delivery, lake: Lake, keys: Pseudonymizer, **options) -> IngestResult:
    return ingest_images(delivery, delivery.root, lake, keys, **({"ocr": "off", "workers": 2} | options))


def versions(lake: Lake) -> list[str]:
    return [lake.version(table, "ccsmtl") for table in TABLES]


def places(lake: Lake) -> dict[str, str]:
    found = {}
    for table in TABLES:
        for row in lake.read(table, "ccsmtl").to_pylist():
            found[row["delivered_path"].removeprefix("dicom/")] = row.get("reason") or row.get("kind") or "ingested"
    return found


def test_each_file_ends_where_it_belongs(delivery, tmp_path, keys) -> None:
    lake = Lake.open(tmp_path / "lake")
    result = run(delivery, lake, keys)
    where = places(lake)
    assert {name: where[name] for name in where if where[name] != "ingested"} == {
        "a/0001 (copie).dcm": "same_bytes",
        "b/again.dcm": "same_pixels",
        "b/conflict.dcm": "uid_conflict",
        "empty.dcm": "empty_file",
        "page.dcm": "not_an_image",
        "cut.dcm": "truncated",
        "named.dcm": "identity_in_header",
    }
    assert result.found == result.ingested + result.quarantined + result.duplicates == len(where)
    twin = lake.read("duplicates", "ccsmtl").to_pylist()
    assert {row["patient_key"] for row in twin} == {keys.patient_key("ccsmtl", p) for p in ("CC0001", "CC0099")}


def test_stored_pictures_hold_the_rendered_pixels(delivery, tmp_path, keys) -> None:
    lake = Lake.open(tmp_path / "lake")
    run(delivery, lake, keys, max_side_px=48)
    for row in lake.read("images", "ccsmtl").to_pylist():
        image = png16.decode((lake.root / row["path"]).read_bytes())
        assert image.dtype == np.uint16 and image.shape == (row["height_px"], row["width_px"]) == (48, 40)
    names = {path.name for path in lake.pixels_dir.rglob("*.png")}
    assert names == {f"{row['image_id']}.png" for row in lake.read("images", "ccsmtl").to_pylist()}


def test_tables_do_not_depend_on_workers_or_history(delivery, tmp_path, keys) -> None:
    whole, steps = Lake.open(tmp_path / "whole"), Lake.open(tmp_path / "steps")
    run(delivery, whole, keys, workers=3)
    later = {path: path.read_bytes() for path in sorted(delivery.root.rglob("000[5-9]*.dcm"))}
    for path in later:
        path.unlink()
    run(delivery, steps, keys, workers=1)
    for path, content in later.items():
        path.write_bytes(content)
    assert run(delivery, steps, keys).examined == len(later)
    assert versions(whole) == versions(steps)


def test_second_run_looks_at_nothing_and_changes_nothing(delivery, tmp_path, keys) -> None:
    lake = Lake.open(tmp_path / "lake")
    first = run(delivery, lake, keys)
    before = versions(lake)
    second = run(delivery, lake, keys)
    assert (second.examined, second.found, second.reasons) == (0, first.found, first.reasons)
    assert versions(lake) == before


def test_changed_mended_and_vanished_files_are_followed(delivery, tmp_path, keys) -> None:
    lake = Lake.open(tmp_path / "lake")
    first = run(delivery, lake, keys)
    delivery.put("cut.dcm", files.clean_file(44))
    (delivery.root / "dicom/a/0002.dcm").unlink()
    second = run(delivery, lake, keys)
    # The vanished file had a twin that was dropped: its picture has to be made now.
    assert (second.examined, second.gone, second.found) == (2, 1, first.found - 1)
    assert places(lake)["cut.dcm"] == "ingested" and places(lake)["b/again.dcm"] == "ingested"


def test_the_file_already_ingested_stays_when_an_equal_one_comes_before_it(tmp_path, keys) -> None:
    delivery, lake = files.Delivery(tmp_path / "d"), Lake.open(tmp_path / "lake")
    delivery.put("m.dcm", files.clean_file(1))
    run(delivery, lake, keys)
    delivery.put("a.dcm", files.clean_file(1))
    run(delivery, lake, keys)
    assert places(lake) == {"m.dcm": "ingested", "a.dcm": "same_bytes"}


def test_lost_picture_is_made_again(delivery, tmp_path, keys) -> None:
    lake = Lake.open(tmp_path / "lake")
    run(delivery, lake, keys)
    victim = lake.root / lake.read("images", "ccsmtl").to_pylist()[0]["path"]
    victim.unlink()
    assert run(delivery, lake, keys).examined == 1 and victim.exists()


def test_a_killed_run_continues_to_the_same_tables(delivery, tmp_path, keys) -> None:
    whole, killed = Lake.open(tmp_path / "whole"), tmp_path / "killed"
    run(delivery, whole, keys)
    script = textwrap.dedent(
        """
        import sys
        from pathlib import Path
        from radia_pipeline.dicom import ingest
        from radia_pipeline.lake.keys import Pseudonymizer
        from radia_pipeline.lake.lake import Lake
        from radia_pipeline_tests.dicom import files
        import os, signal
        ingest._COMMIT_FILES = 2
        def stop(done, total):
            if done == int(sys.argv[3]):
                os.kill(os.getpid(), signal.SIGKILL)
        delivery = files.Delivery(Path(sys.argv[1]))
        ingest.ingest_images(delivery, delivery.root, Lake.open(sys.argv[2]),
                             Pseudonymizer(b"0123456789abcdef0123456789abcdef"), ocr="off", workers=1, on_progress=stop)
        """
    )
    for done in (1, 5):
        ended = subprocess.run([sys.executable, "-c", script, str(delivery.root), str(killed), str(done)], check=False)
        assert ended.returncode == -signal.SIGKILL
    lake = Lake.open(killed)
    assert run(delivery, lake, keys).examined < len(places(whole))
    assert versions(lake) == versions(whole)


def test_unreadable_vanished_or_full_is_said_clearly(tmp_path, keys) -> None:
    delivery, lake = files.Delivery(tmp_path / "d"), Lake.open(tmp_path / "lake")
    path = delivery.put("a.dcm", files.clean_file(1))
    run(delivery, lake, keys)
    path.unlink()
    with pytest.raises(RunFailed, match="mounted"):
        run(delivery, lake, keys)
    with pytest.raises(NoLayout, match="readable folder"):
        ingest_images(delivery, tmp_path / "nowhere", lake, keys, ocr="off")


def test_a_delivery_that_changes_while_it_is_read_is_set_aside_and_read_again(tmp_path, keys, monkeypatch) -> None:
    delivery, lake = files.Delivery(tmp_path / "d"), Lake.open(tmp_path / "lake")
    path = delivery.put("growing.dcm", files.clean_file(1)[:-40])
    original = os.fstat
    rest = [files.clean_file(1)[-40:]]

    def someone_still_copies(descriptor: int) -> os.stat_result:
        status = original(descriptor)
        if rest:
            with path.open("ab") as handle:
                handle.write(rest.pop())
        return status

    task = Task(str(path), str(tmp_path / "a.png"), "ccsmtl", 1024, reads_text=False)
    with monkeypatch.context() as patch:
        patch.setattr(os, "fstat", someone_still_copies)
        assert examine(task).reason == reasons.CHANGED_WHILE_READ
    assert examine(task).reason is None
    assert run(delivery, lake, keys).ingested == 1


def test_full_disk_keeps_the_old_tables(delivery, tmp_path, keys) -> None:
    lake = Lake.open(tmp_path / "lake")
    run(delivery, lake, keys)
    before = versions(lake)
    delivery.put("new.dcm", files.to_bytes(files.dataset(files.picture(9, (700, 700)), number=99)))
    script = textwrap.dedent(
        """
        import resource, signal, sys
        from pathlib import Path
        from radia_pipeline.dicom.ingest import ingest_images
        from radia_pipeline.errors import LakeUnwritable
        from radia_pipeline.lake.keys import Pseudonymizer
        from radia_pipeline.lake.lake import Lake
        from radia_pipeline_tests.dicom import files
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (60_000, 60_000))
        delivery = files.Delivery(Path(sys.argv[1]))
        try:
            ingest_images(delivery, delivery.root, Lake.open(sys.argv[2]),
                          Pseudonymizer(b"0123456789abcdef0123456789abcdef"), ocr="off", workers=1)
        except LakeUnwritable as error:
            assert "intact" in str(error)
            sys.exit(42)
        """
    )
    ended = subprocess.run([sys.executable, "-c", script, str(delivery.root), str(lake.root)], check=False)
    assert ended.returncode == 42
    assert versions(lake) == before
    assert run(delivery, lake, keys).examined == 1


@pytest.mark.parametrize("ocr", ["auto", "off"])
def test_the_real_delivery_ends_as_its_contents_say(ocr, real_root, tmp_path, keys) -> None:
    from radia_pipeline.sources.registry import source

    ccsmtl, lake = source("ccsmtl"), Lake.open(tmp_path / "lake")
    result = ingest_images(ccsmtl, real_root / "ccsmtl", lake, keys, ocr=ocr)
    assert (result.found, result.ingested, result.quarantined, result.duplicates) == (28, 18, 6, 4)
    where = places(lake)
    assert {name for name in where if where[name] not in ("ingested", "same_bytes", "same_pixels")} == {
        "0008.dcm",
        "0010.dcm",
        "0024.dcm",
        "0025.dcm",
        "0026.dcm",
        "DICOMDIR.txt",
    }
    assert {name for name in where if where[name].startswith("same")} == {
        "0002.dcm",
        "0003 (copie).dcm",
        "0004.dcm",
        "0009.dcm",
    }
    flags = {row["delivered_path"][-8:]: row["flags"] for row in lake.read("images", "ccsmtl").to_pylist()}
    assert [name for name in flags if "not_a_chest" in flags[name]] == ["0011.dcm"]
    unread = {name for name in flags if "unread_capture" in flags[name]}
    assert unread == (set() if ocr == "auto" else {"0006.dcm", "0007.dcm"}) and bool(result.warnings) == (ocr == "off")


candidates = st.lists(
    st.tuples(st.sampled_from("uvw"), st.sampled_from("pqrs"), st.sampled_from("xy")), min_size=1, max_size=12
).map(
    lambda rows: [
        Entry(f"{i:02d}.dcm", 1, 1, "r", content, image_id=uid, pixel_sha256=pixels)
        for i, (uid, pixels, content) in enumerate(rows)
    ]
)


def decided(rows: list[Entry], standing: Iterable[str] = ()) -> dict[str, tuple[str, str | None]]:
    """Return path -> (outcome, path of the file that is kept in its place)."""
    with tempfile.TemporaryDirectory() as folder, Journal(Path(folder) / "journal.sqlite") as journal:
        journal.record(rows)
        inventory = Inventory(journal, (row.path for row in rows))
        inventory.stood((path, "picture") for path in standing)
        resolve(journal)
        return {path: said for path, *said in journal.read("select path, outcome, kept_path from temp.decided")}


def plainly(rows: list[Entry]) -> dict[str, tuple[str, str | None]]:
    """Return what ``resolve`` must decide, by the rules as they are said."""
    pixels_of_uid, kept, found = {}, {}, {}
    for row in sorted(rows, key=lambda row: path_order(row.path)):
        if pixels_of_uid.setdefault(row.image_id, row.pixel_sha256) != row.pixel_sha256:
            found[row.path] = [CONFLICT, None]
            continue
        first = kept.setdefault(row.pixel_sha256, row)
        same = "same_bytes" if row.file_sha256 == first.file_sha256 else "same_pixels"
        found[row.path] = [KEPT if row is first else same, first.path]
    return found


@settings(max_examples=60, deadline=None)
@given(candidates, st.randoms())
def test_resolution_is_total_unique_and_free_of_order(rows: list[Entry], random) -> None:
    found = decided(rows)
    assert found == plainly(rows)
    kept = [row for row in rows if found[row.path][0] == KEPT]
    assert len({row.pixel_sha256 for row in kept}) == len({row.image_id for row in kept}) == len(kept)
    shuffled = rows[:]
    random.shuffle(shuffled)
    assert decided(shuffled) == found
    assert decided(rows, [row.path for row in kept]) == found
    last = max((row.path for row in rows if found[row.path][0].startswith("same")), default=None)
    if last is not None:
        assert decided(rows, [last])[last][0] == KEPT


def test_copies_come_after_the_original() -> None:
    assert sorted(["0003 (copie).dcm", "0003.dcm"], key=path_order) == ["0003.dcm", "0003 (copie).dcm"]


def test_details_hold_no_value(delivery, tmp_path, keys) -> None:
    lake = Lake.open(tmp_path / "lake")
    delivery.put("canary.dcm", files.clean_file(71, PatientName="CANARI^IDENTITE", PatientComments="CANARI"))
    run(delivery, lake, keys)
    assert places(lake)["canary.dcm"] == reasons.IDENTITY_IN_HEADER
    for path in lake.root.rglob("*"):
        assert not path.is_file() or b"CANARI" not in path.read_bytes()
    assert LakeUnwritable.exit_code == 1 and os.sep


def test_files_whose_names_are_written_alike_are_each_counted(delivery, tmp_path, keys) -> None:
    """A name that is no UTF-8 is written with escapes, as another file may really be called."""
    lake = Lake.open(tmp_path / "lake")
    content = files.clean_file(81)
    for name in (os.fsdecode(b"\xe9.dcm"), "\\xe9.dcm"):
        delivery.put(name, content)
    result = run(delivery, lake, keys)
    assert result.found == result.ingested + result.quarantined + result.duplicates
    assert (result.ingested, result.duplicates) == (len(files.EXACT) + 1, 3)
    assert run(delivery, lake, keys).examined <= 1


def test_notes_of_pictures_are_gone_for_good_where_they_are_forgotten(tmp_path):
    path = tmp_path / "journal.sqlite"
    with Journal(path) as journal:
        journal.place([(f"image{n}", f"{n}.dcm", "hash", "1") for n in range(3)])
        journal.forget_pictures(["image0", "image2"])
        assert list(journal.placed()) == [("image1", "1.dcm", "hash")]
    content = b"".join(one.read_bytes() for one in tmp_path.iterdir())
    assert b"image1" in content and b"image0" not in content and b"image2" not in content
