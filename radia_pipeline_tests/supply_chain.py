"""What the product is made of: its bill of materials, the audit of known holes, the licences, and a bundle to carry.

``python -m radia_pipeline_tests.supply_chain sbom|audit|bundle FOLDER``; ``make sbom``, ``make audit`` and ``make
bundle`` call it. Each of them fails where it has looked at less than the lock holds.
"""

from __future__ import annotations

import hashlib
import json
import os
import platform
import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Callable, Iterator, Mapping, Sequence
from importlib import metadata
from pathlib import Path
from typing import Any

from packaging.requirements import Requirement

ROOT = Path(__file__).resolve().parents[1]
LOCK = ROOT / "requirements.lock"
FORBIDDEN = re.compile(r"AGPL|Affero|SSPL|BUSL|Business Source|Commons Clause|non-?commercial", re.IGNORECASE)
COPYLEFT = re.compile(r"(?<!L)GPL(?!.*exception)|(?<!Lesser )General Public License", re.IGNORECASE)
GPL_ALLOWED = {"pylint": "a tool of developers: it is neither imported nor shipped"}
"""Packages under the GPL, and why that binds nobody who uses the product."""
STATED_ELSEWHERE = {
    "axe-playwright-python": "MIT",
    "cuda-toolkit": "LicenseRef-NVIDIA-Proprietary",
    "huey": "MIT",
    "pyrage": "MIT",
}
"""Packages whose metadata names no licence, and what their licence file or their project's page says."""
DEBIAN = ("make", "python3", "python3-venv", "libgl1", "libglib2.0-0")
"""What a machine without network needs from Debian's own medium before the bundle."""
KNOWN_HOLES: dict[str, str] = {}
"""Identifier of a hole that stays → why it cannot be reached here."""


def locked(lock: Path = LOCK, *, everywhere: bool = False) -> dict[str, tuple[str, list[str]]]:
    """Return what a lock holds: name → version and hashes. ``everywhere``: what other platforms need, too."""
    found: dict[str, tuple[str, list[str]]] = {}
    name = None
    for line in lock.read_text(encoding="utf-8").splitlines():
        if hashed := re.match(r"\s+--hash=sha256:([0-9a-f]{64})", line):
            if name is not None:
                found[name][1].append(hashed[1])
            continue
        asked = Requirement(line.rstrip(" \\"))
        name = None
        if everywhere or asked.marker is None or asked.marker.evaluate():
            name = normal(asked.name)
            found[name] = (str(next(iter(asked.specifier)).version), [])
    return found


def normal(name: str) -> str:
    """Return a distribution's name as an index compares it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def licence_of(name: str) -> str | None:
    """Return an installed distribution's licence in words; None where nothing says it, or it is not installed."""
    try:
        said = metadata.metadata(name)
    except metadata.PackageNotFoundError:
        return None
    classified = [line.split(" :: ")[-1] for line in said.get_all("Classifier") or [] if line.startswith("License")]
    text = said.get("License-Expression") or "; ".join(classified) or (said.get("License") or "").split("\n")[0]
    return text.strip() or STATED_ELSEWHERE.get(normal(name))


def breaches(licences: Mapping[str, str | None]) -> list[str]:
    """Return what of these licences the product may not be made of, in words."""
    found = []
    for name, said in sorted(licences.items()):
        if said is None:
            found.append(f"{name}: no licence is stated")
        elif FORBIDDEN.search(said):
            found.append(f"{name}: {said} is not accepted")
        elif COPYLEFT.search(said) and " OR " not in said and name not in GPL_ALLOWED:
            found.append(f"{name}: {said} is accepted where it is declared only")
    return found


# --- bill of materials -----------------------------------------------------------------------------------------------
def sbom(folder: Path) -> Path:
    """Write the bill of materials (CycloneDX 1.6) and return its file: every locked package with hashes and licence.

    cyclonedx-py knows hashes from the lock and licences from the environment, and neither from the other: both are
    asked and joined. Raises SystemExit where a package that is installed here would stand without either.
    """
    folder.mkdir(parents=True, exist_ok=True)
    by_lock = _cyclonedx("requirements", LOCK, "--pyproject", ROOT / "pyproject.toml")
    by_environment = _cyclonedx("environment", sys.executable)
    said, missing = joined(by_lock, by_environment, locked())
    if missing:
        raise SystemExit("The bill of materials is not whole: " + "; ".join(missing))
    path = folder / "sbom.cdx.json"
    path.write_text(json.dumps(said, indent=1, sort_keys=True) + "\n", encoding="utf-8")
    return path


def _cyclonedx(kind: str, *words: object) -> dict[str, Any]:
    command = [sys.executable, "-m", "cyclonedx_py", kind, *map(str, words), "--output-reproducible", "--of", "JSON"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise SystemExit(f"cyclonedx-py {kind} failed: {done.stderr.strip()[-400:]}")
    return json.loads(done.stdout)


def joined(
    by_lock: Mapping[str, Any], by_environment: Mapping[str, Any], wanted: Mapping[str, tuple[str, list[str]]]
) -> tuple[dict[str, Any], list[str]]:
    """Return the lock's bill with licences of the environment's, and what of ``wanted`` has no hash or no licence."""
    known = {normal(one["name"]): one for one in by_environment.get("components", ())}
    components, missing, seen = [], [], set()
    for one in by_lock.get("components", ()):
        name = normal(one["name"])
        here = known.get(name, {})
        licences = here.get("licenses") or one.get("licenses")
        if not licences and (stated := licence_of(name)):  # cyclonedx-py leaves out what stands in words of its own
            licences = [{"license": {"name": stated}}]
        whole = {**one, **({"licenses": licences} if licences else {})}
        components.append(whole)
        seen.add(name)
        if name in wanted and not licences:
            missing.append(f"{name} has no licence")
        if name in wanted and not _hashes(whole):
            missing.append(f"{name} has no hash")
    missing += [f"{name} is locked and not listed" for name in sorted(set(wanted) - seen)]
    return {**by_lock, "components": components}, missing


def _hashes(component: Mapping[str, Any]) -> list[str]:
    own = [one["content"] for one in component.get("hashes", ())]
    return own + [one["content"] for way in component.get("externalReferences", ()) for one in way.get("hashes", ())]


# --- audit -----------------------------------------------------------------------------------------------------------
Run = Callable[[Sequence[str]], "subprocess.CompletedProcess[str]"]


def _run(command: Sequence[str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, capture_output=True, text=True, check=False)


def audit(lock: Path = LOCK, run: Run = _run) -> list[str]:
    """Return what pip-audit finds in the lock that nobody has judged, in words.

    Behind a mirror it may be told nothing about a package and still end well: raises SystemExit where it has not
    audited every package that is locked for this platform.
    """
    words = ("--strict", "--disable-pip", "--require-hashes", "--progress-spinner", "off", "--format", "json")
    done = run([sys.executable, "-m", "pip_audit", *words, "--requirement", os.fspath(lock)])
    try:
        said = json.loads(done.stdout)["dependencies"]
    except (ValueError, KeyError, TypeError):
        said = []
    audited = {normal(one["name"]) for one in said if "skip_reason" not in one}
    left = sorted(set(locked(lock)) - audited)
    if not said or left:
        why = (done.stderr or "").strip().splitlines()[-1:] or ["no reason was given"]
        raise SystemExit(
            f"The audit looked at {len(audited)} of {len(locked(lock))} packages; not at {', '.join(left[:5])} … "
            f"({why[0][:200]}). It needs to reach a service of known holes: run it where there is one."
        )
    return [
        f"{one['name']} {one['version']}: {hole['id']}, mended in {', '.join(hole['fix_versions']) or 'no version'}"
        for one in said
        for hole in one.get("vulns", ())
        if hole["id"] not in KNOWN_HOLES
    ]


# --- bundle ----------------------------------------------------------------------------------------------------------
INSTALL = """\
#!/usr/bin/env bash
# Installs RadIA from this folder, without a network: ./install.sh VENV (see READ_ME_FIRST.txt)
set -euo pipefail
fail() { printf 'Installation stopped: %s\\n' "$1" >&2; exit 1; }
[ $# -eq 1 ] || fail "say where the environment is to lie: ./install.sh VENV"
venv=$(realpath -m "$1")
cd "$(dirname "$0")"
python=${PYTHON:-python3}
here="$("$python" -c 'import sys; print("%d.%d" % sys.version_info[:2])' || true) on $(uname -m)"
[ "$here" = "{here}" ] || fail "the packages are for Python {here}, this is Python $here; name one: PYTHON=…"
mkdir -p "$venv"
free=$(df -Pk "$venv" | awk 'NR==2 {print int($4 / 1048576)}')
[ "$free" -ge {gib} ] || fail "the disk of $venv has $free GiB free, and what is installed takes {gib}"
echo "Comparing $(wc -l < SHA256SUMS) files with SHA256SUMS ..."
sha256sum --quiet --check SHA256SUMS || fail "a file is not what was bundled: copy the folder once more"
echo "Installing $(ls wheels | wc -l) packages (minutes) ..."
"$python" -m venv "$venv" || fail "a virtual environment could not be made: install what debian-packages.txt names"
export PIP_CONFIG_FILE=/dev/null PIP_NO_INDEX=1 PIP_FIND_LINKS="$PWD/wheels" PIP_DISABLE_PIP_VERSION_CHECK=1
"$venv/bin/python" -m pip install --quiet --require-hashes --no-deps -r requirements.lock
"$venv/bin/python" -m pip install --quiet --force-reinstall --no-deps ./radia_pipeline-*.whl
echo "Ready: $("$venv/bin/radia" --version). Next: source $venv/bin/activate && radia demo --small"
"""
FIRST = """\
RadIA {version} for a machine without a network: Linux, Python {here}, glibc {glibc} or later.

1. Carry this folder there ({mb} MB), and compare `sha256sum SHA256SUMS` with what the sender told you by another way.
2. Install Debian's packages from its own medium: apt install $(cat debian-packages.txt)
3. ./install.sh /opt/radia/venv        (any folder; it takes {gib} GiB; every file is compared with its hash first)
4. source /opt/radia/venv/bin/activate
   radia demo --small                  (some minutes; ends with "Report: ...": open that file in a browser)
   radia ui --lake .radia/demo         (Dagster and MLflow, on this machine only)
   radia doctor --lake .radia/demo     (whether machine and lake are fit for use)

A newer bundle is installed into the same folder by the same command, while nothing of RadIA runs.
README.md, docs/ and deploy/ say the rest. Where they say `make demo`, say `radia demo`; for `make ui`, `radia ui`.
sbom.cdx.json is the bill of materials: every package with hashes and licence, of developers' tools too.
"""
INSTALLED_GIB = 7
"""What the environment takes on the disk, rounded up."""
PAPERS = ("README.md", "SECURITY.md", "CHANGELOG.md", "LICENSE", "docs", "deploy")


def bundle(folder: Path, lock: Path = LOCK) -> Path:
    """Fill a folder with everything that a machine without network needs, and return it.

    Wheels by the lock's hashes for this Python and platform, our own wheel, the lock without what only developers
    need, Debian's packages by name, the bill of materials of the whole lock, the documentation, sums of all files,
    ``install.sh`` and ``READ_ME_FIRST.txt``, which says how.
    """
    shutil.rmtree(folder, ignore_errors=True)
    (folder / "wheels").mkdir(parents=True)
    whole, lock = lock, folder / "requirements.lock"
    lock.write_text(without_developers(whole), encoding="utf-8")
    pip = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps"]
    _checked([*pip, "--require-hashes", "--only-binary", ":all:", "-d", folder / "wheels", "-r", lock])
    _checked([sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", folder], cwd=ROOT)
    if whole == LOCK:
        sbom(folder)
    for name in PAPERS:
        copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copyfile
        copy(ROOT / name, folder / name)
    _say_how(folder)
    (folder / "SHA256SUMS").write_text("".join(_sums(folder)), encoding="utf-8")
    return folder


def _say_how(folder: Path) -> None:
    """Write what installs a bundle and what a person reads first."""
    facts = {
        "version": next(folder.glob("radia_pipeline-*.whl")).name.split("-")[1],
        "gib": INSTALLED_GIB,
        "here": f"{sys.version_info.major}.{sys.version_info.minor} on {platform.machine()}",
        "glibc": platform.libc_ver()[1],
        "mb": sum(path.stat().st_size for path in folder.rglob("*")) // 1_000_000,
    }
    (folder / "debian-packages.txt").write_text("\n".join(DEBIAN) + "\n", encoding="utf-8")
    for name, text in (("install.sh", INSTALL), ("READ_ME_FIRST.txt", FIRST)):
        said = re.sub(r"\{(version|gib|here|glibc|mb)\}", lambda found: str(facts[found[1]]), text)
        (folder / name).write_text(said, encoding="utf-8")
    (folder / "install.sh").chmod(0o755)


def without_developers(lock: Path) -> str:
    """Return a lock's text without packages that neither the product nor its extra ``postgres`` asks for here."""
    wanted, kept, is_kept = needed(), [], False
    for line in lock.read_text(encoding="utf-8").splitlines():
        if not line.startswith((" ", "#")):
            is_kept = normal(Requirement(line.rstrip(" \\")).name) in wanted
        kept += [line] * is_kept
    return "\n".join(kept) + "\n"


def needed() -> set[str]:
    """Return the names of what the product and its extra ``postgres`` ask for on this platform, to the last one."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    asked = [Requirement(line) for line in (*project["dependencies"], *project["optional-dependencies"]["postgres"])]
    found: dict[str, set[str]] = {}
    while asked:
        one = asked.pop()
        name, extras = normal(one.name), {"", *one.extras}
        if extras <= found.get(name, set()):
            continue
        found[name] = found.get(name, set()) | extras
        for line in metadata.requires(name) or ():
            more = Requirement(line)
            if more.marker is None or any(more.marker.evaluate({"extra": extra}) for extra in extras):
                asked.append(more)
    return set(found)


def _checked(command: Sequence[object], cwd: Path | None = None) -> None:
    done = subprocess.run([str(word) for word in command], cwd=cwd, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise SystemExit(f"{Path(str(command[2])).name} failed: {done.stderr.strip()[-600:]}")


def _sums(folder: Path) -> Iterator[str]:
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            with path.open("rb") as file:
                yield f"{hashlib.file_digest(file, 'sha256').hexdigest()}  {path.relative_to(folder).as_posix()}\n"


def main(words: Sequence[str]) -> None:
    """Do what a target of the Makefile asks."""
    what, *rest = words
    if what == "audit":
        found = audit()
        if found:
            raise SystemExit("\n".join(["Known holes:", *found]))
        sys.stdout.write(f"Audited {len(locked())} packages: no known hole\n")
    elif what == "sbom":
        sys.stdout.write(f"{sbom(Path(rest[0]))}\n")
    elif what == "bundle":
        sys.stdout.write(f"{bundle(Path(rest[0]))}\n")
    else:
        raise SystemExit(f"{what!r} is none of sbom, audit, bundle")


if __name__ == "__main__":
    main(sys.argv[1:])
