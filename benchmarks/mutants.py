"""Random changes of the domain's code, and whether a test notices: ``cover`` once, then ``run`` by seed.

``cover`` runs the quick tests of the domain's folders in one process, with a coverage context for each test, and keeps
which test runs which line and how long each takes. ``run`` draws changes at random over all places of the domain
modules, changes a copy of the tree, and runs the tests that cover the changed line, at most 90 seconds of processor
time a change. Survivors are listed; those that no test can tell from the original stand in
``mutants_equivalent.json`` with their reason. ``planted`` runs named changes (``mutants_planted.json``), each of which
must be noticed.

Why no package: mutmut changes functions in place by trampolines, tries every change and has no seed; cosmic-ray writes
every change of a module into a database and runs one command for each. Neither chooses tests by coverage contexts, and
both start a Python for each change, which here costs ten times the test. Here one process has loaded torch, pyarrow
and the like, and each change is a fork of it.

Limits: what runs only in worker processes is seen by no coverage; for such a line the tests that run any line of its
module are taken, else those that run a module which imports it, else those of the folder's test file of the same name.
What no quick test runs survives, and is counted so.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import itertools
import json
import os
import random
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
if str(ROOT) not in sys.path:
    sys.path.insert(0, str(ROOT))

from mutations import Mutation, is_valid, mutations_of  # noqa: E402

FOLDERS = (
    "contracts",
    "lake",
    "labels",
    "cohort",
    "dicom",
    "privacy",
    "reports",
    "training",
    "evaluation",
    "localisation",
)
KEPT = ROOT / ".radia" / "mutants"
RESULTS = ROOT / "benchmarks" / "results"
EQUIVALENT = ROOT / "benchmarks" / "mutants_equivalent.json"
PLANTED = ROOT / "benchmarks" / "mutants_planted.json"
LONGEST_S = 90.0
"""Of processor time, which other work on the machine does not stretch; the clock may say three times as much."""
SLOWER, TO_BEGIN_S = 3.0, 10.0
"""A change ends as a timeout where its tests take so many times as long as unchanged, and what it takes to begin."""
MOST_TESTS_S = 50.0
"""Tests of a change are taken up to so many seconds of processor time of the covering run: the shortest for half of
them, then the longest that still fit, since these ask most of what they run."""
CONTROL_EVERY = 20
"""Tests of every so many-th change are run unchanged too: a test that fails by itself would notice everything."""
HEAVY = (
    "numpy",
    "pandas",
    "pyarrow.parquet",
    "pyarrow.compute",
    "pyarrow.csv",
    "scipy.stats",
    "scipy.special",
    "cv2",
    "torch",
    "torchvision",
    "timm",
    "sklearn.metrics",
    "sklearn.linear_model",
    "pydicom",
    "hypothesis",
    "pydantic",
    "yaml",
    "click",
    "jinja2",
    "albumentations",
    "PIL.Image",
    "duckdb",
)
"""What most tests load; nothing of ours, which a change may be in."""


@dataclass(frozen=True)
class Coverage:
    """Which tests run a line (``lines``: file → line → tests) and how many seconds each test takes."""

    lines: Mapping[str, Mapping[int, frozenset[str]]]
    seconds: Mapping[str, float]

    @classmethod
    def read(cls) -> Coverage:
        """Read what ``cover`` kept of all folders."""
        lines: dict[str, dict[int, set[str]]] = defaultdict(lambda: defaultdict(set))
        seconds: dict[str, float] = {}
        for path in sorted(KEPT.glob("coverage_*.json")):
            found = json.loads(path.read_text(encoding="utf-8"))
            seconds |= found["seconds"]
            names = found["tests"]
            for file, by_line in found["lines"].items():
                for line, tests in by_line.items():
                    lines[file][int(line)] |= {names[number] for number in tests}
        return cls({file: {line: frozenset(t) for line, t in one.items()} for file, one in lines.items()}, seconds)

    def tests_of(self, mutation: Mutation) -> tuple[str, list[str]]:
        """Return how tests were chosen (line, module, importers, folder or none) and the tests."""
        by_line = self.lines.get(mutation.file, {})
        of_line = by_line.get(mutation.line, frozenset()) if mutation.inside else frozenset()
        if of_line:
            return "line", self._short(of_line)
        if of_module := self._of_modules([mutation.file]):
            return "module", self._short(of_module)
        name = mutation.file.removesuffix(".py").replace("/", ".")
        importers = [file for file in self.lines if f"from {name} import" in (ROOT / file).read_text(encoding="utf-8")]
        if of_importers := self._of_modules(importers):
            return "importers", self._short(of_importers)
        folder = "radia_pipeline_tests/" + "/".join(Path(mutation.file).parts[1:2]) + "/"
        named = [test for test in self.seconds if test.startswith(folder) and Path(mutation.file).stem in test]
        return ("folder", self._short(named)) if named else ("none", [])

    def _of_modules(self, files: Iterable[str]) -> frozenset[str]:
        return frozenset().union(*(tests for file in files for tests in self.lines.get(file, {}).values()))

    def together_s(self, tests: Iterable[str]) -> float:
        """Return the processor time of tests, unchanged."""
        return sum(self.seconds.get(test, 1.0) for test in tests)

    def _short(self, tests: Iterable[str]) -> list[str]:
        by_time = sorted(tests, key=lambda one: (self.seconds.get(one, 1.0), one))
        chosen, total = [], 0.0
        for test in by_time:
            if chosen and total + self.seconds.get(test, 1.0) > MOST_TESTS_S / 2:
                break
            total += self.seconds.get(test, 1.0)
            chosen.append(test)
        for test in by_time[: len(chosen) - 1 : -1]:
            if total + self.seconds.get(test, 1.0) <= MOST_TESTS_S:
                total += self.seconds.get(test, 1.0)
                chosen.append(test)
        return chosen


class _Contexts:
    """A plug-in of pytest: one coverage context a test, and its seconds."""

    def __init__(self, coverage: object) -> None:
        self.coverage, self.seconds, self.failed, self.began = coverage, defaultdict(float), set(), 0.0

    def pytest_runtest_logstart(self, nodeid: str) -> None:
        self.began = spent_s()

    def pytest_runtest_logfinish(self, nodeid: str) -> None:
        self.seconds[nodeid] = spent_s() - self.began

    def pytest_runtest_setup(self, item: object) -> None:
        self.coverage.switch_context(item.nodeid)

    def pytest_runtest_teardown(self, item: object) -> None:
        self.coverage.switch_context("")

    def pytest_runtest_logreport(self, report: object) -> None:
        if report.failed:
            self.failed.add(report.nodeid)


def spent_s() -> float:
    """Return the processor time of this process and of those that it has waited for."""
    return sum(os.times()[:4])


def cover(places: Sequence[str]) -> None:
    """Run the quick tests of folders or files of tests and keep what covers what, one file each."""
    import coverage
    import pytest

    KEPT.mkdir(parents=True, exist_ok=True)
    sources = [str(ROOT / "radia_pipeline" / name) for name in FOLDERS]
    for place in places:
        kept_as = place.replace("/", ".")
        measure = coverage.Coverage(data_file=str(KEPT / f".coverage_{kept_as}"), source=sources, messages=False)
        plugin = _Contexts(measure)
        measure.erase()
        measure.start()
        code = pytest.main(
            [
                "-q",
                "--no-header",
                "-m",
                "not slow",
                "-p",
                "no:cacheprovider",
                "-W",
                "ignore",
                "--timeout",
                "120",
                f"radia_pipeline_tests/{place}",
            ],
            plugins=[plugin],
        )
        measure.stop()
        measure.save()
        data = measure.get_data()
        tests = sorted(set(plugin.seconds) - plugin.failed)  # what fails unchanged would notice everything
        number = {name: place for place, name in enumerate(tests)}
        lines = {
            str(Path(file).relative_to(ROOT)): {
                line: sorted(number[name] for name in contexts if name in number)
                for line, contexts in data.contexts_by_lineno(file).items()
                if any(name in number for name in contexts)
            }
            for file in data.measured_files()
        }
        kept = {
            "exit": int(code),
            "failed": sorted(plugin.failed),
            "tests": tests,
            "lines": lines,
            "seconds": {name: plugin.seconds[name] for name in tests},
        }
        (KEPT / f"coverage_{kept_as}.json").write_text(json.dumps(kept), encoding="utf-8")
        print(f"{place}: {len(tests)} tests, {sum(plugin.seconds.values()):.0f} s, exit {int(code)}", flush=True)


def copied(folder: Path) -> Path:
    """Copy the tree as git sees it, so that a change never touches the one that is worked in."""
    listed = subprocess.run(
        ["git", "ls-files", "-co", "--exclude-standard", "-z"], cwd=ROOT, capture_output=True, check=True
    ).stdout
    for name in listed.decode().split("\0"):
        if name and (ROOT / name).is_file():
            target = folder / name
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, target)
    return folder


def noticed(
    tree: Path, mutation: Mutation, tests: Sequence[str], seconds: float = LONGEST_S, *, is_control: bool = False
) -> tuple[str, str]:
    """Change the copy, run tests in a fork, put it back: (killed, survived or timeout; the test that failed).

    ``seconds``: of processor time. ``is_control``: change nothing.
    """
    path = tree / mutation.file
    source = path.read_text(encoding="utf-8")
    assert source[mutation.start : mutation.end] == mutation.old, "the tree is not the one that was drawn from"
    shutil.rmtree(path.parent / "__pycache__", ignore_errors=True)
    path.write_text(source if is_control else mutation.applied(source), encoding="utf-8")
    try:
        for some in _nearest_first(tests, path.stem):
            outcome, test = _in_fork(tree, some, seconds)
            if outcome != "survived":
                return outcome, test
        return "survived", ""
    finally:
        path.write_text(source, encoding="utf-8")


def _nearest_first(tests: Sequence[str], module: str) -> list[list[str]]:
    """Divide tests in those of one file, the module's own or that with most of them, and the rest: most changes are
    noticed by the first, and only its file is collected."""
    by_file: dict[str, list[str]] = defaultdict(list)
    for test in tests:
        by_file[test.partition("::")[0]].append(test)
    first = max(by_file, key=lambda file: (module in Path(file).stem, len(by_file[file])))
    rest = [test for file, some in by_file.items() if file != first for test in some]
    return [by_file[first], rest] if rest else [by_file[first]]


def _in_fork(tree: Path, tests: Sequence[str], seconds: float) -> tuple[str, str]:
    told = tree / ".told"
    told.unlink(missing_ok=True)
    child = os.fork()
    if not child:
        resource.setrlimit(resource.RLIMIT_CPU, (int(seconds), int(seconds) + 5))
        _test(tree, tests, told)
    until = time.monotonic() + 3 * LONGEST_S
    while time.monotonic() < until:
        done, status = os.waitpid(child, os.WNOHANG)
        if done:
            first = told.read_text(encoding="utf-8") if told.exists() else ""
            code = os.waitstatus_to_exitcode(status)
            if code in (-signal.SIGXCPU, -signal.SIGKILL):
                return "timeout", ""
            return ("survived" if code == 0 else "killed"), first
        time.sleep(0.05)
    with contextlib.suppress(ProcessLookupError):
        os.killpg(child, signal.SIGKILL)
    os.waitpid(child, 0)
    return "timeout", ""


def _test(tree: Path, tests: Sequence[str], told: Path) -> None:
    """Run tests in this process, a fork, and leave it: 0 where all passed."""
    code = 1
    try:
        os.setpgid(0, 0)
        os.chdir(tree)
        os.environ["PYTHONPATH"] = str(tree)
        sys.dont_write_bytecode = True
        sys.path[:] = [str(tree), *(one for one in sys.path if one not in ("", str(ROOT)))]
        for name in [one for one in sys.modules if one.split(".")[0] in ("radia_pipeline", "radia_pipeline_tests")]:
            del sys.modules[name]
        import pytest

        class First:
            def pytest_runtest_logreport(self, report: object) -> None:
                if report.failed and not told.exists():
                    told.write_text(report.nodeid, encoding="utf-8")

        silent = os.open(os.devnull, os.O_WRONLY)
        os.dup2(silent, 1)
        os.dup2(silent, 2)
        with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
            within = str(int(3 * LONGEST_S))
            code = pytest.main(
                ["-q", "-x", "--no-header", "-p", "no:cacheprovider", "-W", "ignore", "--timeout", within, *tests],
                plugins=[First()],
            )
    finally:
        os._exit(int(code))


def drawn(seed: int, count: int, folders: Sequence[str] = FOLDERS) -> list[Mutation]:
    """Draw so many changes at random over all places of these folders' modules."""
    places: list[Mutation] = []
    for folder in folders:
        for path in sorted((ROOT / "radia_pipeline" / folder).rglob("*.py")):
            places += mutations_of(path, str(path.relative_to(ROOT)))
    random.Random(seed).shuffle(places)
    valid = (one for one in places if is_valid(one.applied((ROOT / one.file).read_text(encoding="utf-8"))))
    return list(itertools.islice(valid, count))


def equivalents() -> dict[tuple[str, str, str, str], str]:
    """Return the changes that nobody can tell from the original: (file, line of code, old, new) → why."""
    rows = json.loads(EQUIVALENT.read_text(encoding="utf-8")) if EQUIVALENT.exists() else []
    return {(row["file"], row["code"], row["old"], row["new"]): row["why"] for row in rows}


def code_at(mutation: Mutation) -> str:
    """Return the line of code that a change stands in, by which the list of equivalent ones knows it."""
    return (ROOT / mutation.file).read_text(encoding="utf-8").splitlines()[mutation.line - 1].strip()


def load_heavy() -> None:
    """Load what most tests need, once."""
    import importlib

    for name in ("pytest", *HEAVY):
        importlib.import_module(name)


def run(seed: int, count: int, until_s: float, folders: Sequence[str], skip: int) -> dict:
    """Draw and try changes from the one numbered ``skip`` on; returns what is kept. Ends early after ``until_s``."""
    known, coverage, begun = equivalents(), Coverage.read(), time.monotonic()
    load_heavy()
    rows = []
    with tempfile.TemporaryDirectory() as name:
        tree = copied(Path(name) / "tree")
        for place, mutation in enumerate(drawn(seed, count, folders)[skip:], skip):
            if time.monotonic() - begun > until_s:
                break
            chosen_by, tests = coverage.tests_of(mutation)
            within = min(LONGEST_S, TO_BEGIN_S + SLOWER * coverage.together_s(tests))
            outcome, test = noticed(tree, mutation, tests, within) if tests else ("survived", "")
            control = ""
            if tests and place % CONTROL_EVERY == 0:
                control, _ = noticed(tree, mutation, tests, within, is_control=True)
            code = code_at(mutation)
            why = known.get((mutation.file, code, mutation.old, mutation.new))
            rows.append(
                {
                    "file": mutation.file,
                    "line": mutation.line,
                    "code": code,
                    "old": mutation.old,
                    "new": mutation.new,
                    "kind": mutation.kind,
                    "tests": len(tests),
                    "chosen_by": chosen_by,
                    "outcome": outcome,
                    "noticed_by": test,
                    **({"equivalent": why} if why else {}),
                    **({"control": control} if control else {}),
                }
            )
            print(f"{outcome:9} {chosen_by:6} {len(tests):4} {mutation.words}", flush=True)
    return summary(seed, count, folders, rows)


def summary(seed: int, count: int, folders: Sequence[str], rows: list[dict]) -> dict:
    """Return the kept result: shares over changes that are not equivalent, with Wilson's interval."""
    from radia_pipeline.evaluation.intervals import wilson

    judged = [row for row in rows if "equivalent" not in row]
    left = [row for row in judged if row["outcome"] == "survived"]
    share = len(left) / len(judged) if judged else float("nan")
    by_folder = {
        folder: dict(Counter(row["outcome"] for row in judged if Path(row["file"]).parts[1] == folder))
        for folder in folders
    }
    return {
        "seed": seed,
        "folders": list(folders),
        "wanted": count,
        "tried": len(rows),
        "equivalent": len(rows) - len(judged),
        "timeouts": sum(row["outcome"] == "timeout" for row in judged),
        "controls": dict(Counter(row["control"] for row in rows if "control" in row)),
        "survived": len(left),
        "share": share,
        "interval": wilson(share, len(judged)),
        "by_folder": by_folder,
        "survivors": left,
        "rows": rows,
    }


def planted() -> int:
    """Try the named changes; returns how many were not noticed."""
    load_heavy()
    missed = 0
    with tempfile.TemporaryDirectory() as name:
        tree = copied(Path(name) / "tree")
        for row in json.loads(PLANTED.read_text(encoding="utf-8")):
            source = (ROOT / row["file"]).read_text(encoding="utf-8")
            assert source.count(row["old"]) == 1, f"{row['file']}: not once: {row['old']}"
            start = source.index(row["old"])
            line = source.count("\n", 0, start) + 1
            change = Mutation(
                row["file"], line, start, start + len(row["old"]), row["old"], row["new"], "planted", True
            )
            outcome, test = noticed(tree, change, row["tests"])
            missed += outcome == "survived"
            print(f"{outcome:9} {row['what']}: {test}", flush=True)
    return missed


def main() -> int:
    """Cover, run or show; 0 where nothing survived that should not have."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", nargs="?", choices=("cover", "run", "planted"), default="planted")
    parser.add_argument("--folders", nargs="+", default=FOLDERS, choices=FOLDERS)
    parser.add_argument("--files", nargs="+", help="of tests, to be covered beside what was: those written since")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--count", type=int, default=200)
    parser.add_argument("--until-s", type=float, default=7200.0)
    parser.add_argument("--skip", type=int, default=0, help="go on after so many changes of the seed")
    arguments = parser.parse_args()
    if arguments.what == "cover":
        cover(arguments.files or arguments.folders)
        return 0
    if arguments.what == "planted":
        return int(planted() > 0)
    path = RESULTS / f"mutants_{arguments.seed}.json"
    found = run(arguments.seed, arguments.count, arguments.until_s, arguments.folders, arguments.skip)
    if arguments.skip and path.exists():
        before = json.loads(path.read_text(encoding="utf-8"))["rows"]
        found = summary(arguments.seed, arguments.count, arguments.folders, before[: arguments.skip] + found["rows"])
    path.write_text(json.dumps(found, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    shown = ("tried", "equivalent", "survived", "timeouts", "controls", "share", "interval")
    print(json.dumps({key: found[key] for key in shown}))
    return int(not found["share"] <= 0.15)


if __name__ == "__main__":
    raise SystemExit(main())
