"""The doctor finds each planted fault and says what to do; on a sound lake it finds nothing."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from radia_pipeline.cli.main import main
from radia_pipeline.defs import doctor
from radia_pipeline.defs.instance import dagster_home
from radia_pipeline.defs.one_run import instance_of
from radia_pipeline.defs.switches import switch
from radia_pipeline.lake.keys import KEY_VARIABLE
from radia_pipeline.lake.lake import Lake
from radia_pipeline.lake.settings import change_settings
from radia_pipeline.tracking.client import Tracker
from radia_pipeline.usecases import backup, doctor_machine
from radia_pipeline.usecases.doctor import UNSAFE, WARNING, Asked, run
from radia_pipeline.usecases.doctor_lake import LAKE
from radia_pipeline.usecases.doctor_machine import MACHINE
from radia_pipeline_tests.usecases.whole_lakes import KEY, SOURCE, TAGS, make_whole_lake

CHECKS = {**MACHINE, **LAKE, **doctor.DAGSTER}
YEAR_S = 365 * 86_400.0


@pytest.fixture(scope="module")
def sound(tmp_path_factory) -> Lake:
    """Return a sound lake with a Dagster history and a backup."""
    folder = tmp_path_factory.mktemp("doctor")
    lake = make_whole_lake(folder)
    for run_ in Tracker(lake).runs(status="RUNNING"):
        run_.fail("Ended", status="KILLED")
    with instance_of(lake):
        pass
    change_settings(lake.root, backup_to=str(folder / "backup"))
    backup.create(lake, folder / "backup")
    return lake


@pytest.fixture
def lake(sound, tmp_path, monkeypatch) -> Lake:
    for old, new in ((sound.root, tmp_path / "lake"), (sound.history_dir, tmp_path / "lake.history")):
        shutil.copytree(old, new)
    monkeypatch.setenv(KEY_VARIABLE, KEY)
    return Lake(tmp_path / "lake")


def examined(lake: Lake, *names: str, is_production: bool = False, now_s: float | None = None):
    asked = Asked(lake, is_production, dict(os.environ), time.time() if now_s is None else now_s)
    return run(asked, {name: CHECKS[name] for name in names or CHECKS})


def test_nothing_is_found_on_a_sound_lake(lake, monkeypatch):
    monkeypatch.setattr(doctor_machine, "_DISK_LOW", 1 << 20)  # what is free here is not what is asked about
    monkeypatch.setattr(doctor_machine, "_MEMORY_LOW", 1 << 20)
    found = examined(lake)
    assert found.findings == () and found.is_safe
    assert len(found.checks) >= 25
    for half in (lake.root, lake.history_dir):
        half.chmod(0o750)
    production = examined(lake, *(set(CHECKS) - {"user", "daemon"}), is_production=True)
    assert production.findings == ()


# --- what is planted: (lake, monkeypatch) -> None -------------------------------------------------------------------
def _flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(bytes(content))


def _settings(old: str, new: str) -> Callable:
    def plant(lake: Lake, _) -> None:
        path = dagster_home(lake) / "dagster.yaml"
        text = path.read_text()
        assert old in text
        path.write_text(text.replace(old, new))

    return plant


def _text(name: str, content: bytes) -> Callable:
    def plant(lake: Lake, _) -> None:
        path = lake.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)

    return plant


def _variable(name: str, value: str) -> Callable:
    return lambda lake, monkeypatch: monkeypatch.setenv(name, value)


def _cut_line(name: str) -> Callable:
    def plant(lake: Lake, _) -> None:
        path = lake.root / name
        lines = path.read_bytes().splitlines(keepends=True)
        path.write_bytes(b"".join([lines[0], *lines[2:]]))

    return plant


def _stuck(lake: Lake, _) -> None:
    import dagster as dg
    from dagster._core.test_utils import create_run_for_test

    with instance_of(lake) as instance:
        create_run_for_test(instance, job_name="upkeep", status=dg.DagsterRunStatus.STARTED)


def _queued(lake: Lake, _) -> None:
    import dagster as dg
    from dagster._core.remote_origin import RegisteredCodeLocationOrigin, RemoteJobOrigin, RemoteRepositoryOrigin
    from dagster._core.test_utils import create_run_for_test

    place = RemoteRepositoryOrigin(RegisteredCodeLocationOrigin("radia_pipeline"), "__repository__")
    origin = RemoteJobOrigin(place, "upkeep")
    with instance_of(lake) as instance:
        create_run_for_test(
            instance,
            job_name="upkeep",
            status=dg.DagsterRunStatus.QUEUED,
            remote_job_origin=origin,
            job_code_origin=None,
        )


def _raised_pool(lake: Lake, _) -> None:
    with instance_of(lake) as instance:
        instance.event_log_storage.set_concurrency_slots("gpu", 3)


def _held_slot(lake: Lake, _) -> None:
    import dagster as dg
    from dagster._core.test_utils import create_run_for_test

    with instance_of(lake) as instance:
        ended = create_run_for_test(instance, job_name="upkeep", status=dg.DagsterRunStatus.FAILURE)
        instance.event_log_storage.initialize_concurrency_limit_to_default("gpu")
        assert instance.event_log_storage.claim_concurrency_slot("gpu", ended.run_id, "step").is_claimed


def _dead_run(lake: Lake, _) -> None:
    child = subprocess.Popen([sys.executable, "-c", ""])
    tracked = Tracker(lake).start_or_resume("dead", {**TAGS, "radia.recipe_hash": "x"}, pid=child.pid)
    child.wait()
    assert tracked.run_id


def _old_temporary(lake: Lake, _) -> None:
    path = lake.root / "manifest" / ".ccsmtl.parquet.abc.tmp"
    path.touch()
    os.utime(path, (1e9, 1e9))


FAULTS = {
    "installed_version": ("versions", UNSAFE, lambda lake, patch: patch.setattr(
        doctor_machine.metadata, "requires", lambda _: ["numpy>=2", "click>=900"])),
    "package_absent": ("versions", UNSAFE, lambda lake, patch: patch.setattr(
        doctor_machine.metadata, "requires", lambda _: ["no-such-package-of-ours"])),
    "disk_nearly_full": ("disk", WARNING, lambda lake, patch: patch.setattr(
        doctor_machine.shutil, "disk_usage", lambda _: shutil._ntuple_diskusage(1, 1, 5 << 30))),
    "disk_full": ("disk", UNSAFE, lambda lake, patch: patch.setattr(
        doctor_machine.shutil, "disk_usage", lambda _: shutil._ntuple_diskusage(1, 1, 1 << 20))),
    "memory_out": ("memory", UNSAFE, lambda lake, patch: patch.setattr(doctor_machine, "_MEMORY_OUT", 1 << 60)
                   or patch.setattr(doctor_machine, "_MEMORY_LOW", 1 << 60)),
    "other_key": ("key", UNSAFE, _variable(KEY_VARIABLE, "another key of more than sixteen")),
    "short_key": ("key", UNSAFE, _variable(KEY_VARIABLE, "short")),
    "telemetry_by_environment": ("telemetry", UNSAFE, _variable("MLFLOW_DISABLE_TELEMETRY", "false")),
    "notices_in_the_clear": ("telemetry", WARNING, _variable("RADIA_NOTICE_WEBHOOK", "http://notices.example/x")),
    "telemetry_of_dagster": ("dagster_telemetry", UNSAFE, _settings("telemetry:\n  enabled: false", "")),
    "password_in_settings": ("dagster_telemetry", UNSAFE, _settings(
        "telemetry:", "storage:\n  postgres:\n    postgres_db:\n      password: planted-one\ntelemetry:")),
    "unpickling": ("unpickling", UNSAFE, _variable("MLFLOW_ALLOW_PICKLE_DESERIALIZATION", "true")),
    "many_runs_on_sqlite": ("concurrency", UNSAFE, _settings("max_concurrent_runs: 2", "max_concurrent_runs: 8")),
    "pool_of_many": ("concurrency", UNSAFE, _settings("default_limit: 1", "default_limit: 4")),
    "gpu_pool_raised": ("pool_slots", UNSAFE, _raised_pool),
    "slot_held": ("pool_slots", UNSAFE, _held_slot),
    "mlflow_run_of_a_dead_process": ("mlflow_runs", WARNING, _dead_run),
    "world_writable": ("permissions", UNSAFE, lambda lake, _: (lake.root / "ledger").chmod(0o777)),
    "key_in_the_lake": ("secrets", UNSAFE, _text("notes.txt", b"key = " + KEY.encode())),
    "table_changed": ("tables", UNSAFE, lambda lake, _: os.truncate(lake.path("manifest", SOURCE), 900)),
    "publication_cut": ("tables", WARNING, lambda lake, _: lake.place("manifest", SOURCE).next.touch()),
    "history_cut": ("tables", WARNING, _cut_line(f"_versions/manifest/{SOURCE}/history.jsonl")),
    "pinned_version_gone": ("versions_needed", WARNING, _text(
        "models/two/abc/model.json", json.dumps({"manifest_versions": {SOURCE: "f" * 32}}).encode())),
    "ledger_line_gone": ("chains", UNSAFE, _cut_line("ledger/pools.jsonl")),
    "reading_gone": ("chains", UNSAFE, _cut_line("reviews/readings.jsonl")),
    "witness_gone": ("chains", UNSAFE, lambda lake, _: (lake.root / "reviews" / "head.json").unlink()),
    "picture_gone": ("pixels", UNSAFE, lambda lake, _: next(lake.pixels_dir.rglob("*.png")).unlink()),
    "pickle_among_models": ("models", UNSAFE, _text("models/one/best.pt", b"PK\x03\x04")),
    "pickle_by_another_name": ("models", UNSAFE, _text("models/one/weights.dat", b"\x80\x04\x95\x00")),
    "weights_cut": ("models", UNSAFE, lambda lake, _: os.truncate(next(lake.models_dir.rglob("*.safetensors")), 20)),
    "database_damaged": ("databases", UNSAFE, lambda lake, _: (
        lake.history_dir / "mlflow.db").write_bytes(b"x" * 8192)),
    "journal_damaged": ("databases", UNSAFE, lambda lake, _: os.truncate(
        lake.root / "_ingest" / f"{SOURCE}.sqlite", 5000)),
    "forgetting_cut": ("stale_locks", UNSAFE, _text("_forgetting.json", b"{}")),
    "settings_damaged": ("layout", UNSAFE, _text("settings.json", b"{")),
    "deliveries_gone": ("layout", WARNING, lambda lake, _: change_settings(lake.root, sources_root="/no/such/folder")),
    "leftover": ("leftovers", WARNING, _old_temporary),
    "history_of_many_runs": ("history_size", WARNING, lambda lake, patch: patch.setattr(doctor, "_MANY_RUNS", -1)),
    "history_of_many_bytes": ("history_size", WARNING, lambda lake, patch: patch.setattr(doctor, "_LARGE_BYTES", 9)),
    "backup_damaged": ("backups", UNSAFE, lambda lake, _: _spoil_backup(lake)),
}  # fmt: skip
"""Fault → check that finds it, severity, and how it is planted."""


def _spoil_backup(lake: Lake) -> None:
    backup.create(lake, lake.root.parent / "mine")
    change_settings(lake.root, backup_to=str(lake.root.parent / "mine"))
    _flip(next((lake.root.parent / "mine" / "sets").glob("*/set.json")))


@pytest.mark.parametrize("fault", FAULTS)
def test_each_planted_fault_is_found_with_what_to_do(lake, monkeypatch, fault):
    check, severity, plant = FAULTS[fault]
    plant(lake, monkeypatch)
    found = examined(lake, check)
    said = {one.severity for one in found.findings}
    assert said and (UNSAFE in said) == (severity == UNSAFE)
    assert all(len(one.what) > 10 and len(one.do) > 10 for one in found.findings)
    assert KEY not in found.as_text() and "planted-one" not in found.as_text()
    assert found.is_safe == (severity == WARNING)


def test_there_are_enough_faults():
    assert len(FAULTS) >= 20
    assert {check for check, _, _ in FAULTS.values()} <= set(CHECKS)


@pytest.mark.parametrize(("plant", "severity"), [(_stuck, UNSAFE), (_queued, WARNING)])
def test_a_run_of_which_nothing_is_heard_is_found(lake, monkeypatch, plant, severity):
    plant(lake, monkeypatch)
    assert examined(lake, "stuck_runs").findings == ()
    later = examined(lake, "stuck_runs", now_s=time.time() + 2 * 86_400)
    assert [one.severity for one in later.findings] == [severity]


def test_a_large_history_that_is_kept_small_is_no_fault(lake, monkeypatch):
    monkeypatch.setattr(doctor, "_MANY_RUNS", -1)
    for name in ("runs_weekly", "events_weekly"):
        switch(lake, name, True)
    assert examined(lake, "history_size").findings == ()


def test_a_clock_that_went_back_is_found(lake):
    assert [one.check for one in examined(lake, "clock", now_s=time.time() - 86_400).findings] == ["clock"]
    assert len(examined(lake, "clock", now_s=0.0).findings) == 2


def test_an_old_backup_is_found(lake):
    for is_production, severity in ((False, WARNING), (True, UNSAFE)):
        found = examined(lake, "backups", is_production=is_production, now_s=time.time() + YEAR_S)
        assert [one.severity for one in found.findings] == [severity]
    change_settings(lake.root, backup_to=None)
    assert examined(lake, "backups").findings == ()
    assert not examined(lake, "backups", is_production=True).is_safe


def test_production_asks_for_more(lake, monkeypatch, tmp_path):
    lake.root.chmod(0o755)
    assert examined(lake, "permissions").findings == ()
    (found,) = examined(lake, "permissions", is_production=True).findings
    assert found.severity == UNSAFE and f"chmod o-rwx {lake.root} {lake.history_dir}" in found.do
    monkeypatch.delenv(KEY_VARIABLE)
    assert [one.severity for one in examined(lake, "key", is_production=True).findings] == [WARNING]
    with pytest.warns(Warning, match="demo key"):
        from radia_pipeline.lake.keys import Pseudonymizer

        demo = Lake.open(tmp_path / "demo")
        Pseudonymizer.from_environment(demo)
    assert examined(demo, "key").findings == ()
    (found,) = examined(demo, "key", is_production=True).findings
    assert found.severity == UNSAFE and "radia keys rotate" in found.do
    assert [one.check for one in examined(lake, "daemon", is_production=True).findings] == ["daemon"]


LISTENS = """import socket, sys, time
door = socket.socket(); door.bind((sys.argv[1], 0)); door.listen()
print(door.getsockname()[1], flush=True); time.sleep(60)"""


@pytest.mark.parametrize(("address", "count"), [("0.0.0.0", 1), ("127.0.0.1", 0)])
def test_a_server_that_others_can_reach_is_found(lake, address, count):
    command = [sys.executable, "-c", LISTENS, address, "radia_pipeline.review.serve"]
    env = {**os.environ, "RADIA_LAKE": str(lake.root)}
    with subprocess.Popen(
        [*command[:2], f"# dagster\n{LISTENS}", *command[3:]], env=env, stdout=subprocess.PIPE, text=True
    ) as child:
        try:
            port = child.stdout.readline().strip()
            found = examined(lake, "open_ports").findings
            assert len(found) == count and all(port in one.what for one in found)
        finally:
            child.kill()


HOLDS = """import sys, time
from pathlib import Path
from radia_pipeline.lake import atomic
with atomic.file_lock(Path(sys.argv[1])):
    print("held", flush=True)
    time.sleep(60)"""


def test_a_lock_whose_holder_is_stopped_is_found(lake):
    path = lake.root / "_locks" / "ledger.lock"
    with subprocess.Popen([sys.executable, "-c", HOLDS, str(path)], stdout=subprocess.PIPE) as child:
        try:
            child.stdout.readline()
            assert examined(lake, "stale_locks").findings == ()
            child.send_signal(signal.SIGSTOP)
            os.waitid(os.P_PID, child.pid, os.WSTOPPED)
            assert [one.severity for one in examined(lake, "stale_locks").findings] == [UNSAFE]
        finally:
            child.kill()


def test_a_trainer_without_a_parent_is_found(lake):
    words = "[sys.executable, '-c', 'import time; time.sleep(60)', 'radia_pipeline.training.process', sys.argv[1]]"
    quiet = "stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL"
    inner = f"import subprocess, sys; print(subprocess.Popen({words}, {quiet}).pid, flush=True)"
    done = subprocess.run([sys.executable, "-c", inner, str(lake.root)], capture_output=True, text=True, check=True)
    pid = int(done.stdout)
    try:
        reaper = int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
        if reaper != 1:
            pytest.skip("orphans are given to another process than 1 here (a subreaper)")
        assert [str(pid) in one.what for one in examined(lake, "orphaned_trainers").findings] == [True]
    finally:
        os.kill(pid, signal.SIGKILL)


def test_the_command_says_so_and_ends_with_its_code(lake, capsys, monkeypatch):
    monkeypatch.setattr(doctor_machine, "_DISK_OUT", 0)
    monkeypatch.setattr(doctor_machine, "_MEMORY_OUT", 0)
    assert main(["doctor", "--lake", str(lake.root)]) == 0
    assert "checks:" in capsys.readouterr().out
    (lake.root / "ledger").chmod(0o777)
    assert main(["doctor", "--lake", str(lake.root), "--json"]) == 1
    said = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert said["is_safe"] is False
    assert {"check", "severity", "what", "do"} == set(said["findings"][0])
