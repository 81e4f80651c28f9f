"""What the product is made of is listed, licensed as it may be, audited in earnest, and can be carried to a machine
without network."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from radia_pipeline_tests import supply_chain, without_network
from radia_pipeline_tests.supply_chain import GPL_ALLOWED, STATED_ELSEWHERE, audit, breaches, joined, licence_of, locked

TWO = ("click", "pyyaml")


def test_no_licence_is_one_that_a_hospital_cannot_take():
    said = {name: licence_of(name) for name in locked()}
    here = {name: licence for name, licence in said.items() if supply_chain.metadata and _is_installed(name)}
    assert len(here) >= 150
    assert breaches(here) == []


def _is_installed(name: str) -> bool:
    try:
        supply_chain.metadata.version(name)
    except supply_chain.metadata.PackageNotFoundError:
        return False
    return True


def test_what_is_declared_about_licences_is_needed():
    assert set(GPL_ALLOWED) <= set(locked()) and set(STATED_ELSEWHERE) <= set(locked(everywhere=True))


@pytest.mark.parametrize(
    ("said", "is_refused"),
    [
        ("AGPL-3.0-only", True),
        ("GNU Affero General Public License v3", True),
        ("GPL-2.0-or-later", True),
        ("GNU General Public License v3 (GPLv3)", True),
        (None, True),
        ("SSPL-1.0", True),
        ("CC-BY-NC-4.0", True),
        ("MIT", False),
        ("LGPL-2.1-or-later", False),
        ("Apache-2.0 OR GPL-2.0-only", False),
        ("GPL-3.0-only WITH GCC-exception-3.1", False),
    ],
)
def test_planted_licences_are_told_apart(said, is_refused):
    if said == "CC-BY-NC-4.0":
        said = "Creative Commons Attribution-NonCommercial 4.0"
    assert bool(breaches({"planted": said})) == is_refused
    assert breaches({"pylint": "GPL-2.0-or-later"}) == []


def component(name: str, **more: object) -> dict:
    return {"name": name, "version": "1", **more}


def test_both_bills_are_joined_and_gaps_are_named():
    hashes = [{"hashes": [{"alg": "SHA-256", "content": "a" * 64}], "url": "", "type": "distribution"}]
    by_lock = {"components": [component("Click", externalReferences=hashes), component("other")]}
    by_environment = {"components": [component("click", licenses=[{"license": {"id": "BSD-3-Clause"}}])]}
    said, missing = joined(by_lock, by_environment, {"click": ("1", []), "other": ("1", []), "gone": ("1", [])})
    assert said["components"][0]["licenses"] == [{"license": {"id": "BSD-3-Clause"}}]
    assert missing == ["other has no licence", "other has no hash", "gone is locked and not listed"]


def test_the_bill_of_materials_is_whole(tmp_path):
    pytest.importorskip("cyclonedx_py", reason="cyclonedx-bom is not installed here")
    said = json.loads(supply_chain.sbom(tmp_path).read_text())
    listed = {supply_chain.normal(one["name"]): one for one in said["components"]}
    assert said["bomFormat"] == "CycloneDX" and set(locked(everywhere=True)) <= set(listed)
    hashes = set(re.findall(r"sha256:([0-9a-f]{64})", supply_chain.LOCK.read_text()))
    assert {one for name in locked() for one in supply_chain._hashes(listed[name])} <= hashes
    assert all(listed[name].get("licenses") for name in locked() if _is_installed(name))


@pytest.fixture
def small_lock(tmp_path) -> Path:
    """Return a lock of two packages out of the whole one."""
    path, is_wanted = tmp_path / "small.lock", False
    lines = []
    for line in supply_chain.LOCK.read_text().splitlines(keepends=True):
        if not line.startswith(" "):
            is_wanted = line.split("==")[0] in TWO
        lines += [line] if is_wanted else []
    path.write_text("".join(lines))
    assert set(locked(path)) == set(TWO)
    return path


def says(*dependencies: dict, code: int = 0, err: str = ""):
    def run(command):
        assert "--strict" in command and "--require-hashes" in command
        return subprocess.CompletedProcess(command, code, json.dumps({"dependencies": list(dependencies)}), err)

    return run


CLICK, YAML = {"name": "click", "version": "8", "vulns": []}, {"name": "PyYAML", "version": "6", "vulns": []}
HOLE = {**YAML, "vulns": [{"id": "PYSEC-1", "fix_versions": ["7"], "description": ""}]}


def test_an_audit_of_nothing_is_none(small_lock):
    assert audit(small_lock, says(CLICK, YAML)) == []
    assert audit(small_lock, says(CLICK, HOLE, code=1)) == ["PyYAML 6: PYSEC-1, mended in 7"]
    skipped = {"name": "pyyaml", "skip_reason": "not found on the index"}
    for run in (says(), says(CLICK), says(CLICK, skipped), lambda _: subprocess.CompletedProcess([], 0, "", "")):
        with pytest.raises(SystemExit, match="of 2 packages"):
            audit(small_lock, run)


@pytest.mark.timeout(900)
def test_a_bundle_installs_without_a_network(small_lock, tmp_path):
    if why := without_network.why_not():
        pytest.skip(why)
    try:
        folder = supply_chain.bundle(tmp_path / "bundle", small_lock)
    except SystemExit as error:
        pytest.skip(f"wheels cannot be fetched here: {str(error)[-200:]}")
    assert len(list((folder / "wheels").glob("*.whl"))) == len(TWO)
    assert "{" not in (folder / "READ_ME_FIRST.txt").read_text()
    assert {"README.md", "docs", "deploy"} <= {path.name for path in folder.iterdir()}
    (tmp_path / "here").mkdir()
    done = installed(folder, tmp_path / "here")
    assert done.returncode == 0, done.stderr[-2000:]
    assert "Ready: radia, version" in done.stdout
    assert (tmp_path / "here" / "venv" / "bin" / "radia").exists()  # below where it was called, not below the bundle
    (other := tmp_path / "other_python").write_text("#!/bin/sh\necho 3.8\n")
    other.chmod(0o755)
    done = installed(folder, tmp_path / "here", PYTHON=str(other))
    assert done.returncode == 1 and "this is Python 3.8" in done.stderr
    assert installed(folder, tmp_path / "here", "").returncode == 1
    wheel = next((folder / "wheels").glob("click*.whl"))
    wheel.write_bytes(wheel.read_bytes()[:-1] + b"x")
    done = installed(folder, tmp_path / "here")
    assert done.returncode == 1 and "copy the folder once more" in done.stderr


def installed(folder: Path, where: Path, venv: str = "venv", **more: str) -> subprocess.CompletedProcess:
    """Install a bundle as its own instructions say, called in a folder, where no network is."""
    command = [*without_network.prefix(), folder / "install.sh", *([venv] if venv else [])]
    env = {name: os.environ[name] for name in ("HOME", "PATH", "LANG", "TMPDIR") if name in os.environ}
    return subprocess.run(
        command, capture_output=True, text=True, env={**env, "PYTHON": sys.executable, **more}, cwd=where
    )


def test_a_try_to_leave_is_noticed(tmp_path):
    if why := without_network.why_not():
        pytest.skip(why)
    code = (
        "import socket\ntry: socket.create_connection(('192.0.2.1', 80), timeout=2)\nexcept OSError: print('refused')"
    )
    env = {**os.environ, **without_network.watched(tmp_path)}
    done = subprocess.run(
        [*without_network.prefix(), sys.executable, "-c", code], env=env, capture_output=True, text=True
    )
    assert done.stdout == "refused\n"
    assert any("192.0.2.1" in line for line in without_network.tried(tmp_path))
