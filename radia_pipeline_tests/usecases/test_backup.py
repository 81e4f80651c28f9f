"""A lake is backed up, wiped and restored elsewhere: every table, version, model, run and reading is there again."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from radia_pipeline.cli.main import main
from radia_pipeline.cohort.ledger import read_ledger
from radia_pipeline.errors import BadInput, DamagedFile, LakeLocked, RunFailed
from radia_pipeline.lake.collect import collect
from radia_pipeline.lake.lake import Lake
from radia_pipeline.lake.settings import change_settings, read_settings
from radia_pipeline.readings.store import Store, lines_of
from radia_pipeline.tracking import database
from radia_pipeline.tracking.client import Tracker
from radia_pipeline.training.model_folders import read_card
from radia_pipeline.usecases import backup, backup_restore
from radia_pipeline.usecases.backup_databases import copy_sqlite, faults_of_sqlite
from radia_pipeline.usecases.backup_store import BackupStore
from radia_pipeline_tests.readings.worlds import unset
from radia_pipeline_tests.tracking.cluster import PASSWORD, running
from radia_pipeline_tests.usecases.whole_lakes import SOURCE, make_whole_lake


@pytest.fixture(scope="module")
def full_lake(tmp_path_factory) -> Lake:
    return make_whole_lake(tmp_path_factory.mktemp("full"))


@pytest.fixture
def lake(full_lake, tmp_path) -> Lake:
    """Return a copy of it that the test may change."""
    for old, new in ((full_lake.root, tmp_path / "lake"), (full_lake.history_dir, tmp_path / "lake.history")):
        shutil.copytree(old, new)
    return Lake.open(tmp_path / "lake", create=False)


@pytest.fixture
def postgres(monkeypatch):
    monkeypatch.setenv("PGPASSWORD", PASSWORD)
    with running() as cluster:
        yield cluster


def facts(lake: Lake) -> dict:
    """Return everything that has to be readable: tables, versions, models, pictures, ledger, readings, runs."""
    return {
        "tables": {place.name: lake.read(*place.name.split("/", 1)).to_pylist() for place in lake.places()},
        "versions": {
            place.name: [
                (one.version, lake.read_version(*place.name.split("/", 1), one.version).num_rows)
                for one in lake.history(*place.name.split("/", 1))
            ]
            for place in lake.places()
        },
        "models": [read_card(path.parent) for path in sorted(lake.models_dir.glob("*/*/model.json"))],
        "weights": [path.read_bytes() for path in sorted(lake.models_dir.rglob("*.safetensors"))],
        "pictures": {path.name: path.read_bytes() for path in lake.pixels_dir.rglob("*.png")},
        "ledger": read_ledger(lake),
        "readings": [line for _, line in lines_of(lake)],
        "runs": [(run.run_id, run.status) for run in Tracker(lake).runs()],
    }


def wipe(lake: Lake) -> None:
    shutil.rmtree(lake.root)
    shutil.rmtree(lake.history_dir)


def test_backed_up_wiped_and_restored_elsewhere_everything_is_there(lake, tmp_path):
    before = facts(lake)
    assert (
        len(before["versions"][f"manifest/{SOURCE}"]) == 3
        and before["models"]
        and len(before["readings"]) == 5
        and len(before["pictures"]) == 8
    )
    assert len(before["runs"]) == 1
    made = backup.create(lake, tmp_path / "backup")
    wipe(lake)
    restored = backup_restore.restore(tmp_path / "backup", tmp_path / "elsewhere" / "other")
    other = Lake.open(tmp_path / "elsewhere" / "other", create=False)
    assert facts(other) == before
    assert (restored.files, restored.tables, restored.readings) == (made.files, made.tables, 5)
    assert not other.packed_dir.exists() and not other.previews_dir.exists()
    Store(other).append(unset(source=SOURCE, study_id=before["tables"][f"manifest/{SOURCE}"][0]["study_id"]))
    assert other.write("manifest", before["tables"][f"manifest/{SOURCE}"], SOURCE).changed is False
    assert collect(other, keep_days=90).deleted == 0  # versions have kept their age: none is older


def test_what_did_not_change_is_copied_once(lake, tmp_path):
    first = backup.create(lake, tmp_path / "backup")
    again = backup.create(lake, tmp_path / "backup")
    assert first.copied > again.copied and again.copied <= 3  # databases make a copy of themselves each time
    Store(lake).append(unset(source=SOURCE, study_id=lake.read("manifest", SOURCE)["study_id"][0].as_py()))
    third = backup.create(lake, tmp_path / "backup")
    assert third.copied <= again.copied + 3
    for name, count in ((again.name, 5), (third.name, 6)):
        restored = backup_restore.restore(tmp_path / "backup", tmp_path / name, name=name)
        assert restored.readings == count


def flip(path: Path, at: int | None = None) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2 if at is None else at] ^= 1
    path.write_bytes(bytes(content))


@pytest.mark.parametrize("sealed", [False, True])
def test_one_flipped_byte_anywhere_is_refused(lake, tmp_path, capsys, sealed):
    recipients, identity = (), None
    if sealed:
        pytest.importorskip("pyrage", reason="pyrage, which seals backups, is not installed here")
        identity = tmp_path / "key"
        from radia_pipeline.usecases.backup_sealing import new_identity

        recipients = (new_identity(identity),)
    made = backup.create(lake, tmp_path / "backup", recipients=recipients)
    store = BackupStore(tmp_path / "backup")
    folder = store.root / "sets" / made.name
    objects = sorted(store.objects(made.name).values(), key=lambda one: one.stored_size)
    some = [objects[0], objects[len(objects) // 2], objects[-1]]
    places = (*(store.object_path(one.sha256) for one in some if one.stored_size), *sorted(folder.iterdir()))
    for number, path in enumerate(places):
        kept = path.read_bytes()
        flip(path)
        with pytest.raises(DamagedFile):
            backup_restore.restore(store.root, tmp_path / f"other{number}", identity=identity)
        assert not (tmp_path / f"other{number}").exists()
        with contextlib.suppress(DamagedFile):
            assert backup.verify(store.root).damaged
        path.write_bytes(kept)
    assert backup.verify(store.root).damaged == ()
    backup_restore.restore(store.root, tmp_path / "other", identity=identity)
    assert main(["backup", "verify", "--from", str(store.root)]) == 0
    flip(store.object_path(objects[-1].sha256), 0)
    assert main(["backup", "verify", "--from", str(store.root)]) == 1
    assert "Do: " in capsys.readouterr().out
    store.object_path(objects[-1].sha256).unlink()
    assert any("is gone" in line for line in backup.verify(store.root).damaged)


KILLED = """
import os, signal, sys
from pathlib import Path
from radia_pipeline.lake.lake import Lake
from radia_pipeline.usecases import backup, backup_restore, backup_store
store, lake, other, at = sys.argv[1:]
def counted(work, left=[int(at)]):
    def call(*given, **named):
        left[0] -= 1
        if left[0] < 0:
            os.kill(os.getpid(), signal.SIGKILL)
        return work(*given, **named)
    return call
if other == "-":
    backup_store.BackupStore.put = counted(backup_store.BackupStore.put)
    backup._REMEMBER_EVERY = 8
    backup.create(Lake.open(lake, create=False), Path(store))
else:
    backup_store.BackupStore.copy_out = counted(backup_store.BackupStore.copy_out)
    backup_restore.restore(Path(store), Path(other))
"""


def killed(*words: object) -> int:
    command = [sys.executable, "-W", "ignore", "-c", KILLED, *map(str, words)]
    return subprocess.run(command, timeout=120).returncode


def test_killed_in_the_middle_both_go_on(lake, tmp_path):
    before = facts(lake)
    store = tmp_path / "backup"
    assert killed(store, lake.root, "-", 15) == -signal.SIGKILL
    assert BackupStore(store).names() == []
    with pytest.raises(BadInput, match="no complete set"):
        backup_restore.restore(store, tmp_path / "other")
    made = backup.create(lake, store)
    assert made.copied <= made.files - 15 + 8 + 4  # what was not yet noted, and databases
    assert killed(store, lake.root, tmp_path / "other", 15) == -signal.SIGKILL
    assert not (tmp_path / "other").exists()
    restored = backup_restore.restore(store, tmp_path / "other")
    assert restored.again >= 15
    assert facts(Lake.open(tmp_path / "other", create=False)) == before
    assert not list(tmp_path.glob(".other*"))


def test_killed_between_its_two_last_names_it_goes_on(lake, tmp_path, monkeypatch):
    backup.create(lake, tmp_path / "backup")
    renamed, work = [], Path.rename

    def once(path: Path, target: Path) -> Path:
        if path.name == "lake" and path.parent.name.endswith(".restoring") and not renamed:
            renamed.append(path)
            raise KeyboardInterrupt
        return work(path, target)

    monkeypatch.setattr(Path, "rename", once)
    with pytest.raises(KeyboardInterrupt):
        backup_restore.restore(tmp_path / "backup", tmp_path / "other")
    assert (tmp_path / "other.history").is_dir() and not (tmp_path / "other").exists()
    backup_restore.restore(tmp_path / "backup", tmp_path / "other")
    assert facts(Lake.open(tmp_path / "other", create=False)) == facts(lake)


def test_what_is_written_meanwhile_is_of_one_moment(lake, tmp_path):
    rows = lake.read("manifest", SOURCE).to_pylist()
    stop, failed = threading.Event(), []

    def write() -> None:
        number = 0
        while not stop.is_set():
            number += 1
            try:
                lake.write("manifest", [{**row, "weight": number / 1000} for row in rows], SOURCE)
                Store(lake).append(unset(source=SOURCE, study_id=rows[number % len(rows)]["study_id"]))
            except Exception as error:
                failed.append(error)
                return

    writer = threading.Thread(target=write)
    writer.start()
    try:
        for _ in range(3):
            made = backup.create(lake, tmp_path / "backup")
    finally:
        stop.set()
        writer.join()
    assert not failed
    for name in BackupStore(tmp_path / "backup").names():
        backup_restore.restore(tmp_path / "backup", tmp_path / name, name=name)
        other = Lake.open(tmp_path / name, create=False)
        assert other.history("manifest", SOURCE)[-1].version == other.version("manifest", SOURCE)
        assert facts(other)["readings"]
    assert made.still_s < 60


def test_a_database_that_is_written_to_is_copied_whole(tmp_path):
    with contextlib.closing(sqlite3.connect(tmp_path / "a.db")) as database:
        database.execute("pragma journal_mode=wal")
        database.execute("create table t (x)")
        database.executemany("insert into t values (?)", [(n,) for n in range(1000)])
        database.commit()
        assert (tmp_path / "a.db-wal").stat().st_size
        copy_sqlite(tmp_path / "a.db", tmp_path / "b.db")
    with contextlib.closing(sqlite3.connect(tmp_path / "b.db")) as copy:
        assert copy.execute("select count(*), sum(x) from t").fetchone() == (1000, 499500)
    assert list(faults_of_sqlite(tmp_path / "b.db")) == []
    assert not (tmp_path / "b.db-wal").exists()
    content = bytearray((tmp_path / "b.db").read_bytes())
    content[4096:8192] = bytes(4096)
    (tmp_path / "b.db").write_bytes(content)
    assert list(faults_of_sqlite(tmp_path / "b.db")) != []


def test_a_lake_that_is_worked_on_is_waited_for_and_then_refused(lake, tmp_path):
    with lake.lock("forget"), pytest.raises(LakeLocked, match="did not stand still"):
        backup.create(lake, tmp_path / "backup", wait_s=0.5)
    assert BackupStore(tmp_path / "backup").names() == []
    assert backup.create(lake, tmp_path / "backup").copied <= 3


def test_older_sets_go_with_what_only_they_held(lake, tmp_path):
    root = tmp_path / "backup"
    names = []
    for number in range(4):
        (lake.root / "extra.json").write_text(f'{{"number": {number}, "made": "{"x" * 1000}"}}')
        names.append(backup.create(lake, root, now_s=1.7e9 + number * 86_400).name)
    objects = len(list((root / "objects").glob("*/*")))
    (root / "objects" / ".cut.tmp").touch()
    assert backup.prune(root, 2) == tuple(names[:2])
    assert len(list((root / "objects").glob("*/*"))) < objects and not list((root / "objects").glob(".*"))
    assert [row["set"] for row in backup.listing(root)] == names[2:]
    backup_restore.restore(root, tmp_path / "other", name=names[2])
    assert '"number": 2' in (tmp_path / "other" / "extra.json").read_text()
    made = backup.create(lake, root, keep=1)
    assert set(made.dropped) == set(names[2:]) and BackupStore(root).names() == [made.name]


def test_a_damaged_table_stops_a_backup(lake, tmp_path):
    os.truncate(lake.path("manifest", SOURCE), 900)
    with pytest.raises(DamagedFile, match="manifest"):
        backup.create(lake, tmp_path / "backup")
    assert BackupStore(tmp_path / "backup").names() == []


@pytest.mark.parametrize("inside", ["lake/backup", "lake.history/backup", "lake"])
def test_a_backup_does_not_lie_in_its_lake(lake, tmp_path, inside):
    with pytest.raises(BadInput, match="would lie in the lake"):
        backup.create(lake, tmp_path / inside)


def test_a_name_that_leads_out_of_the_lake_is_refused(tmp_path):
    for name in ("lake/../../etc", "/lake/a", "other/a", "lake", "history/../a"):
        with pytest.raises(DamagedFile, match="outside"):
            backup_restore._place(tmp_path, name)


def test_nothing_is_restored_over_a_lake(lake, tmp_path):
    backup.create(lake, tmp_path / "backup")
    with pytest.raises(BadInput, match="exists already"):
        backup_restore.restore(tmp_path / "backup", lake.root)


def test_a_sealed_backup_needs_the_key_that_is_not_in_it(lake, tmp_path, capsys):
    pytest.importorskip("pyrage", reason="pyrage, which seals backups, is not installed here")
    assert main(["backup", "key", "--out", str(tmp_path / "key")]) == 0
    recipient = capsys.readouterr().out.split()[1]
    assert (tmp_path / "key").stat().st_mode & 0o777 == 0o600
    assert main(["backup", "key", "--out", str(tmp_path / "key")]) == 2
    assert main(["backup", "key", "--out", str(tmp_path / "wrong")]) == 0
    root = tmp_path / "backup"
    words = ["backup", "create", "--lake", str(lake.root), "--to", str(root), "--recipient", recipient, "--remember"]
    assert main(words) == 0
    assert read_settings(lake.root).backup_recipients == (recipient,)
    study = lake.read("manifest", SOURCE)["study_id"][0].as_py().encode()
    assert not any(study in path.read_bytes() for path in root.rglob("*") if path.is_file())
    assert backup.verify(root).damaged == ()
    for identity, match in ((None, "sealed"), (tmp_path / "wrong", "does not open")):
        with pytest.raises(BadInput, match=match):
            backup_restore.restore(root, tmp_path / "other", identity=identity)
    assert main(["backup", "create", "--lake", str(lake.root)]) == 0  # as remembered; nothing is sealed anew
    for name in BackupStore(root).names():
        assert backup.verify(root, name).damaged == ()
        backup_restore.restore(root, tmp_path / name, name=name, identity=tmp_path / "key")
    with pytest.raises(BadInput, match="other recipients"):
        backup.create(lake, root, recipients=("age1" + recipient[4:][::-1],))
    with pytest.raises(BadInput, match="no public key"):
        backup.create(lake, tmp_path / "second", recipients=((tmp_path / "key").read_text().split()[-1],))


def test_histories_in_postgres_come_along_into_an_empty_database(lake, tmp_path, postgres):
    from sqlalchemy import text

    old, new = (database.checked(postgres.make(name)) for name in ("before", "after"))
    database.make_schemas(old)
    with database.connected(database.in_schema(old, database.MLFLOW)) as engine, engine.begin() as connection:
        connection.execute(text("create table runs (name text)"))
        connection.execute(text("insert into runs select 'run ' || n from generate_series(1, 1000) n"))
    change_settings(lake.root, database=old)
    made = backup.create(lake, tmp_path / "backup")
    assert made.files
    with pytest.raises(BadInput, match="lay in Postgres"):
        backup_restore.restore(tmp_path / "backup", tmp_path / "other")
    backup_restore.restore(tmp_path / "backup", tmp_path / "other", server=new)
    assert read_settings(tmp_path / "other").database == new
    with database.connected(database.in_schema(new, database.MLFLOW)) as engine, engine.begin() as connection:
        assert connection.scalar(text("select count(distinct name) from runs")) == 1000
    with pytest.raises(RunFailed, match="pg_restore failed"):  # the schemas stand there already
        backup_restore.restore(tmp_path / "backup", tmp_path / "third", server=new)
    assert not (tmp_path / "third").exists()
