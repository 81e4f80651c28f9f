"""The pseudonym key of the demo's lake is rotated by the command and killed (SIGKILL) on the way: is anything else?

By hand: ``python benchmarks/key_rotation.py --keep`` makes the small demo, lets three people read, rotates one copy of
the lake undisturbed, and another that is killed once at each point of ``POINTS``, in a process of its own, and goes on
each time. Both are compared, table by table, and with what stood before; a patient is forgotten before a rotation and
after one; doctor and pipeline are asked what they think of the lake under its new key. ``--example LAKE`` takes
another lake, made with the demo key. Exit status 1 where anything is otherwise than it should be.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from radia_pipeline.cohort.ledger import read_ledger
from radia_pipeline.defs.doctor import examine
from radia_pipeline.errors import KeyMismatch
from radia_pipeline.lake import atomic, renamed
from radia_pipeline.lake.keys import DEMO_KEY, KEY_VARIABLE, NEW_KEY_VARIABLE, Pseudonymizer
from radia_pipeline.lake.lake import Lake
from radia_pipeline.readings.access import AccessLog
from radia_pipeline.readings.in_force import publish_reviews
from radia_pipeline.readings.store import Store, lines_of
from radia_pipeline.usecases import rotation
from radia_pipeline.usecases.forget import forget_patients
from radia_pipeline_tests.readings.worlds import reading, with_set

RESULTS = Path(__file__).parent / "results" / "key_rotation.json"
NEXT_KEY = "a key that follows the demo's, for this benchmark"
OLD, NEW = Pseudonymizer(DEMO_KEY), Pseudonymizer(NEXT_KEY.encode())
SET, READERS, READ = "test-0badc0de", ("r1", "r2", "r3"), 5
IDS = ("patient_key", "study_id", "image_id", "file_id")
_ID = re.compile(r"([0-9a-f]{2,3}/)?\b([0-9a-f]{32})\b")


# --- where it is killed ---------------------------------------------------------------------------------------------
def _die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def _before(owner: Any, name: str, times: int) -> None:
    """Let this process be killed when a function is called for the ``times``-th time, before it does anything."""
    work, left = getattr(owner, name), [times]

    def counted(*given: Any, **named: Any) -> Any:
        left[0] -= 1
        if left[0] <= 0:
            _die()
        return work(*given, **named)

    setattr(owner, name, counted)


def _in_a_journal() -> None:
    """Die within the transaction that renames a journal's lines."""
    rename_journal, renaming = rotation._rename_in_journal, rotation._renaming

    def journal(*given: Any) -> None:
        def counting(names: Any) -> Callable[[str], str]:
            rename, left = renaming(names), [200]

            def one(text: str) -> str:
                left[0] -= 1
                if left[0] <= 0:
                    _die()
                return rename(text)

            return one

        rotation._renaming = counting
        rename_journal(*given)

    rotation._rename_in_journal = journal


POINTS: dict[str, Callable[[], None]] = {
    "ids are collected, the plan is not written": lambda: _before(rotation, "_sets", 1),
    "a part of the pictures is renamed": lambda: _before(atomic, "move_files", 60),
    "within a journal's transaction": _in_a_journal,
    "some tables are rewritten, another is named and not written": lambda: _before(Lake, "write", 6),
    "while a table is published": lambda: _before(rotation.publishing, "keep", 3),
    "keys.json is the new key's, the fingerprint is the old one": lambda: _before(rotation, "fingerprint_path", 1),
    "some of what bears old names is deleted": lambda: _before(Path, "unlink", 4),
}
"""Point → what lets the process be killed there."""


def rotate(lake: Lake, point: str | None = None) -> tuple[int, float, str]:
    """Run ``radia keys rotate`` in a process; returns its exit status, seconds, and the end of what it said."""
    env = {**os.environ, NEW_KEY_VARIABLE: NEXT_KEY}
    env.pop(KEY_VARIABLE, None)
    words = ["--child", os.fspath(lake.root), *([point] if point else [])]
    begun = time.monotonic()
    done = subprocess.run([sys.executable, __file__, *words], env=env, capture_output=True, text=True, check=False)
    return done.returncode, round(time.monotonic() - begun, 1), (done.stdout + done.stderr)[-400:]


def child(root: str, point: str | None) -> int:
    """Be that process."""
    from radia_pipeline.cli.main import main as radia

    if point is not None:
        POINTS[point]()
    return radia(["keys", "rotate", "--lake", root])


# --- what a lake holds ----------------------------------------------------------------------------------------------
def read_by_people(lake: Lake) -> None:
    """Let three people read some studies of a closed set, and images be shown to them."""
    rows = lake.read("manifest", columns=["source", "study_id"]).to_pylist()
    source = rows[0]["source"]
    studies = sorted({row["study_id"] for row in rows if row["source"] == source})[: 2 * READ]
    with_set(lake, *studies, set_id=SET, source=source)
    log = AccessLog(lake)
    for reader in READERS:
        for study in studies[:READ]:
            Store(lake).append(reading(source=source, study_id=study, set_id=SET, reader=reader))
            log.image(reader, study)
    publish_reviews(lake)


def tables(lake: Lake) -> dict[str, list[dict[str, Any]]]:
    """Return every table's rows."""
    return {place.name: lake.read(*place.name.split("/", 1)).to_pylist() for place in lake.places()}


def contents(lake: Lake) -> dict[str, Any]:
    """Return what two rotations of one lake must agree in."""
    return {
        "tables": tables(lake),
        "ledger": read_ledger(lake),
        "names": dict(renamed.names(lake.root)),
        "readings": [line for _, line in lines_of(lake)],
        "shown": list(AccessLog(lake).entries()),
        "pictures": sorted(path.relative_to(lake.root).as_posix() for path in lake.pixels_dir.rglob("*.png")),
        "versions": {place.name: lake.version(*place.name.split("/", 1)) for place in lake.places()},
    }


def ids_in(said: dict[str, list[dict[str, Any]]]) -> set[str]:
    """Return the keyed ids of tables."""
    return {row[name] for rows in said.values() for row in rows for name in IDS if row.get(name)}


def under(said: dict[str, list[dict[str, Any]]], ids: set[str], versions: dict[str, str]) -> dict[str, list[str]]:
    """Return tables' rows as sorted texts under the new key; names of groups and sets are left out, since they are
    made of their members, and so is which end of a link comes first."""

    def one(match: re.Match[str]) -> str:
        folder, old = match[1] or "", match[2]
        if old not in ids:
            return folder + versions.get(old, old)
        new = NEW.rotated(old)
        return f"{new[: len(folder) - 1]}/{new}" if folder else new

    def text(row: dict[str, Any]) -> str:
        row = {key: value for key, value in row.items() if key not in ("group_id", "members_sha256")}
        ends = [
            sorted(_ID.sub(one, f"{key[:-2]} {row.pop(key)}") for key in [*row] if key.endswith(end))
            for end in ("_a", "_b")
        ]
        return _ID.sub(one, repr(row)) + repr(sorted(ends))

    return {name: sorted(map(text, rows)) for name, rows in said.items()}


def chains(lake: Lake) -> dict[str, bytes]:
    """Return the files that a rotation must not touch."""
    folders = (lake.root / "ledger", lake.root / "reviews")
    return {path.name: path.read_bytes() for folder in folders for path in sorted(folder.glob("*.jsonl"))}


def groups(lake: Lake) -> list[list[str]]:
    """Return the members of each group of patients, by the ids of today."""
    found: dict[str, list[str]] = {}
    for row in lake.read("splits", columns=["patient_key", "group_id"]).to_pylist():
        found.setdefault(row["group_id"], []).append(row["patient_key"])
    return sorted(map(sorted, found.values()))


def texts_naming(lake: Lake, ids: set[str]) -> list[str]:
    """Return the files outside the chains that still hold an old id in the clear."""
    found = []
    for path in sorted(lake.root.rglob("*")):
        is_chain = path.parent.name in ("ledger", "reviews") or path.suffix == ".lock"
        if path.is_file() and not is_chain and path.suffix in (".json", ".jsonl", ".yaml", ".html", ".csv"):
            content = path.read_text(encoding="utf-8", errors="replace")
            if any(token[1] in ids for token in _ID.findall(content)):
                found.append(path.relative_to(lake.root).as_posix())
    return found


# --- the trial ------------------------------------------------------------------------------------------------------
@contextlib.contextmanager
def copied(example: Lake) -> Iterator[Lake]:
    """Yield a copy of a lake with its history, beside the same deliveries."""
    with tempfile.TemporaryDirectory() as folder:
        for sources in example.root.absolute().parent.glob("*.sources"):
            (Path(folder) / sources.name).symlink_to(sources.resolve())
        shutil.copytree(example.root, Path(folder) / "lake")
        shutil.copytree(example.history_dir, Path(folder) / "lake.history")
        yield Lake.open(Path(folder) / "lake", create=False)


def killed_on_the_way(lake: Lake) -> list[dict[str, Any]]:
    """Kill the rotation at each point in turn, and end it; returns what happened at each."""
    found = []
    for point in POINTS:
        code, took_s, _ = rotate(lake, point)
        refused = 0
        for key in (OLD, NEW):
            try:
                key.bind(lake)
            except KeyMismatch:
                refused += 1
        is_first = point == next(iter(POINTS))  # nothing is renamed yet: the lake is still the old key's
        found.append(
            {
                "point": point,
                "killed": code == -signal.SIGKILL,
                "took_s": took_s,
                "deliveries_refused": refused == (1 if is_first else 2),
            }
        )
    code, took_s, said = rotate(lake)
    return [*found, {"point": "to the end", "exit_status": code, "took_s": took_s, "said": said if code else ""}]


def forgotten(example: Lake, *, is_rotated: bool) -> bool:
    """Forget a patient with readings before or after a rotation; returns whether nothing of theirs is left."""
    with copied(example) as lake:
        read = {line.reading.study_id for _, line in lines_of(lake) if line is not None and line.kind == "read"}
        rows = lake.read("images", columns=["patient_key", "study_id", "image_id"]).to_pylist()
        gone = min(row["patient_key"] for row in rows if row["study_id"] in read)
        mine = {row[name] for row in rows if row["patient_key"] == gone for name in ("study_id", "image_id")} | {gone}
        if is_rotated:
            assert rotate(lake)[0] == 0
            gone, mine = NEW.rotated(gone), {NEW.rotated(one) for one in mine}
        done = forget_patients([gone], lake)
        if not is_rotated:
            assert rotate(lake)[0] == 0
            mine |= {NEW.rotated(one) for one in mine}
        left = mine & ids_in({name: rows for name, rows in tables(lake).items() if not name.startswith("splits")})
        pictures = {path.stem for path in lake.pixels_dir.rglob("*.png")}
        read = {line.reading.study_id for _, line in lines_of(lake) if line is not None and line.kind == "read"}
        return done.patients == 1 and done.review_marks > 0 and not left and not mine & (pictures | read)


def run_again(lake: Lake, until: str | None, key: str | None = NEXT_KEY) -> list[str]:
    """Make everything anew under a key; returns the tables whose content changed by that."""
    before = contents(lake)["versions"]
    env = {**os.environ, **({KEY_VARIABLE: key} if key else {})}
    words = [
        sys.executable,
        "-m",
        "radia_pipeline.cli.main",
        "run",
        "--lake",
        os.fspath(lake.root),
        *(["--until", until] if until else []),
    ]
    done = subprocess.run(words, env=env, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        return [f"the run failed: {done.stderr[-400:]}"]
    return sorted(name for name, version in contents(lake)["versions"].items() if before.get(name) != version)


def measured(example: Lake, until: str | None) -> dict[str, Any]:
    """Rotate copies of a lake, undisturbed and killed, and compare."""
    forgetting = {name: forgotten(example, is_rotated=name == "after") for name in ("before", "after")}
    found: dict[str, Any] = {"load_average": round(os.getloadavg()[0], 1), "forgetting": forgetting}
    with copied(example) as whole, copied(example) as killed:
        before, ledger, kept, linked = tables(whole), read_ledger(whole), chains(whole), groups(whole)
        ids, findings = ids_in(before), {(one.check, one.what) for one in examine(whole).findings}
        code, took_s, said = rotate(whole)
        assert code == 0, said
        found["lake"] = {
            "tables": len(before),
            "rows": sum(map(len, before.values())),
            "ids": len(ids),
            "pictures": len(list(whole.pixels_dir.rglob("*.png"))),
            "rotated_in_s": took_s,
        }
        found["kills"] = killed_on_the_way(killed)
        now, other = contents(whole), contents(killed)
        found["differs_after_kills"] = sorted(what for what in now if now[what] != other[what])
        after = under(now["tables"], set(), {})
        wanted = under(before, ids, dict(renamed.names(whole.root)))
        found["tables_otherwise_than_ids"] = sorted(name for name in wanted if wanted[name] != after.get(name))
        found["same_pools"] = {key: (one.pool, one.fold) for key, one in now["ledger"].placements.items()} == {
            NEW.rotated(key): (one.pool, one.fold) for key, one in ledger.placements.items()
        }
        found["same_groups"] = groups(whole) == sorted(sorted(map(NEW.rotated, members)) for members in linked)
        found["chains_touched"] = sorted(name for name, content in chains(killed).items() if kept.get(name) != content)
        found["old_ids_in"] = texts_naming(killed, ids)
        os.environ[KEY_VARIABLE] = NEXT_KEY
        found["doctor_finds_more"] = sorted(
            f"{one.check}: {one.what}" for one in examine(killed).findings if (one.check, one.what) not in findings
        )
        del os.environ[KEY_VARIABLE]
        found["run_again_until"], found["run_again_changes"] = until, run_again(killed, until)
        found |= beside_an_unrotated(example, killed, until)
    return found


def beside_an_unrotated(example: Lake, rotated: Lake, until: str | None) -> dict[str, Any]:
    """Make everything anew in a copy that was never rotated, and compare what the two runs left."""
    with copied(example) as control:
        changes = run_again(control, until, None)
        before, ledger = tables(control), read_ledger(control)
        wanted, after = (
            under(before, ids_in(before), dict(renamed.names(rotated.root))),
            under(tables(rotated), set(), {}),
        )
        placed = {NEW.rotated(key): (one.pool, one.fold) for key, one in ledger.placements.items()}
        return {
            "run_again_changes_unrotated": changes,
            "run_again_otherwise_than_unrotated": sorted(name for name in wanted if wanted[name] != after.get(name)),
            "same_pools_after_run_again": placed
            == {key: (one.pool, one.fold) for key, one in read_ledger(rotated).placements.items()},
        }


def is_as_it_should_be(found: dict[str, Any]) -> bool:
    """Whether nothing is otherwise."""
    *kills, end = found["kills"]
    empty = (
        "differs_after_kills",
        "tables_otherwise_than_ids",
        "chains_touched",
        "old_ids_in",
        "doctor_finds_more",
        "run_again_otherwise_than_unrotated",
    )
    return (
        all(one["killed"] and one["deliveries_refused"] for one in kills)
        and end["exit_status"] == 0
        and not any(found[name] for name in empty)
        and found["same_pools"]
        and found["same_groups"]
        and found["same_pools_after_run_again"]
        and all(found["forgetting"].values())
    )


def main() -> int:
    """Rotate, kill, compare; keep and print what came of it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--example", type=Path, help="a lake made with the demo key (default: the small demo)")
    parser.add_argument("--keep", action="store_true", help="write results/key_rotation.json")
    parser.add_argument("--until", default="manifest", help="how far it is made again, '' for all (default: manifest)")
    parser.add_argument("--child", nargs="+", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        return child(options.child[0], options.child[1] if len(options.child) > 1 else None)
    with tempfile.TemporaryDirectory() as folder:
        example = options.example
        if example is None:
            from radia_pipeline.defs.demo import run_demo

            run_demo(example := Path(folder) / "demo", is_small=True, is_fresh=True)
        with copied(Lake.open(example, create=False)) as lake:
            read_by_people(lake)
            found = measured(lake, options.until or None)
    found["is_as_it_should_be"] = is_as_it_should_be(found)
    text = json.dumps(found, indent=1)
    print(text)
    if options.keep:
        RESULTS.write_text(text + "\n", encoding="utf-8")
    return int(not found["is_as_it_should_be"])


if __name__ == "__main__":
    sys.exit(main())
