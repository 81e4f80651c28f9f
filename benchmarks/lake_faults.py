"""What becomes of a lake's table under each fault: rows that were wrong, and faults without a way out. One row a fault.

    python -m benchmarks.lake_faults [--reads 50000]

Each fault meets a lake with two partitions, one of them published twice. It is read first: rows must be those of a
version that was published, or the refusal an error of the tree. Then both ways out are tried, each on a copy of its
own: `radia tables restore`, and the next write of the step. A fault without either is a dead end.
"""

from __future__ import annotations

import argparse
import errno
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
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from unittest import mock

import pyarrow.parquet as pq

from radia_pipeline.errors import RadiaError
from radia_pipeline.lake.collect import collect
from radia_pipeline.lake.keys import Pseudonymizer
from radia_pipeline.lake.lake import Lake
from radia_pipeline.lake.restoring import restore
from radia_pipeline.lake.settings import change_settings, read_settings
from radia_pipeline.lake.show import listing, violations
from radia_pipeline_tests.lake.breaking import NEVER, READS, edit, failing, history_path, labels, rewrite

RESULT = Path(__file__).parent / "results" / "lake_faults.json"
NIH, CCSMTL = ("labels", "nih_cxr14"), ("labels", "ccsmtl")
COUNT = 200
OLD, NEW = labels(COUNT, 1), labels(COUNT, 0)
ANOTHER_KEY = Pseudonymizer(b"another key than the lake was made with")
WRITER = """
import sys
from radia_pipeline.lake.lake import Lake
from radia_pipeline_tests.lake.breaking import labels
lake, value = Lake(sys.argv[1]), int(sys.argv[2])
rows = labels(200 + value, value)
lake.write("labels", rows, "nih_cxr14")
print("ready", flush=True)
while True:
    lake.write("labels", rows, "nih_cxr14")
"""
CUT_WRITER = """
import sys
from radia_pipeline.lake.lake import Lake
from radia_pipeline_tests.lake.breaking import failing, labels
lake, number = Lake(sys.argv[1]), int(sys.argv[2])
with failing(number, -1):
    lake.write("labels", labels(200, 1), "nih_cxr14")
"""


@dataclass
class Outcome:
    """``seen``: what a reader met, in words, with how often. ``ways``: which ways out gave the true rows."""

    fault: str
    seen: Counter = field(default_factory=Counter)
    ways: dict[str, bool] = field(default_factory=dict)
    wrong_rows: int = 0
    dead_ends: int = 0
    note: str = ""

    def row(self) -> dict:
        """Return the row of the table."""
        return {**vars(self), "seen": dict(self.seen)}


def world(folder: Path) -> Lake:
    """Return a lake in which the labels of one source were published twice, those of another once."""
    lake = Lake.open(folder / "lake")
    lake.write("labels", labels(COUNT, 1, source="ccsmtl"), "ccsmtl")
    lake.write("labels", OLD, "nih_cxr14")
    lake.write("labels", NEW, "nih_cxr14")
    return lake


def look(lake: Lake, outcome: Outcome, allowed: tuple[set[int], ...] = ({0},), table: tuple[str, str] = NIH) -> None:
    """Read once: right rows, a refusal by name, or what must not be."""
    try:
        found = lake.read(*table)
        values = set(found["value"].to_pylist())
        is_right = values in allowed and found.num_rows >= COUNT and set(found["source"].to_pylist()) == {table[1]}
        outcome.seen["right rows" if is_right else "WRONG ROWS"] += 1
        outcome.wrong_rows += not is_right
    except RadiaError as error:
        outcome.seen[f"refused: {error.kind}"] += 1
    except Exception as error:  # a benchmark's business is to count what must not be
        outcome.seen[f"ERROR OF NO TREE: {type(error).__name__}"] += 1
        outcome.dead_ends += 1


def try_ways_out(lake: Lake, outcome: Outcome) -> None:
    """Try restore and the next write, each on a copy; count a dead end where neither gives the true rows."""

    def restored(copy: Lake) -> None:
        restore(copy, "labels")
        restore(copy, *NIH)

    def written(copy: Lake) -> None:
        copy.write("labels", NEW, "nih_cxr14")
        copy.write("labels", labels(COUNT, 1, source="ccsmtl"), "ccsmtl")

    for name, way in (("restore", restored), ("next write", written)):
        with tempfile.TemporaryDirectory() as folder:
            shutil.copytree(lake.root, Path(folder) / "lake")
            copy = Lake.open(Path(folder) / "lake", create=False)
            try:
                way(copy)
                is_true = set(copy.read(*NIH)["value"].to_pylist()) == {0} and not any(violations(copy).values())
            except RadiaError:
                is_true = False
            outcome.ways[name] = is_true
    outcome.dead_ends += not any(outcome.ways.values())
    listing(lake)


# --- faults of files -------------------------------------------------------------------------------------------------
def cut(lake: Lake, *, in_place: bool = False) -> None:
    """Cut the file's end."""
    rewrite(lake.path(*NIH), lake.path(*NIH).read_bytes()[:-300], in_place=in_place)


def flip(lake: Lake) -> None:
    """Flip one bit in the middle, as a disk does."""
    content = bytearray(lake.path(*NIH).read_bytes())
    content[len(content) // 3] ^= 4
    rewrite(lake.path(*NIH), bytes(content), in_place=True)


def zeros(lake: Lake) -> None:
    """Put zeros in the place of a block, as a power cut does."""
    content = bytearray(lake.path(*NIH).read_bytes())
    content[200:900] = bytes(700)
    rewrite(lake.path(*NIH), bytes(content))


def swap(lake: Lake) -> None:
    """Exchange two partitions."""
    one, two = lake.path(*NIH), lake.path(*CCSMTL)
    held = one.read_bytes()
    rewrite(one, two.read_bytes())
    rewrite(two, held)


def put_back(lake: Lake) -> None:
    """Copy an earlier version over the published one by hand."""
    rewrite(lake.path(*NIH), lake.place(*NIH).kept(lake.history(*NIH)[0].version).read_bytes())


def with_pandas(lake: Lake) -> None:
    """Edit as people do: read with pandas, change, write to the same path."""
    frame = lake.read(*NIH).to_pandas()
    frame["value"] = 1
    frame.to_parquet(lake.path(*NIH))


def also_kept(lake: Lake) -> None:
    """Damage the published file and the kept one."""
    cut(lake)
    lake.place(*NIH).kept(lake.history(*NIH)[-1].version).write_bytes(b"PAR1")


def history_without(lines: int) -> Callable[[Lake], None]:
    """Return a fault that leaves so many lines of the history."""

    def fault(lake: Lake) -> None:
        path = history_path(lake, *NIH)
        path.write_bytes(b"".join(path.read_bytes().splitlines(keepends=True)[:lines]))

    return fault


def history_damaged(lake: Lake) -> None:
    """Change a figure in the history."""
    path = history_path(lake, *NIH)
    path.write_text(path.read_text().replace(f'"rows":{COUNT}', f'"rows":{COUNT + 1}', 1))


def history_cut(lake: Lake) -> None:
    """Cut the history in its last line."""
    path = history_path(lake, *NIH)
    path.write_bytes(path.read_bytes()[:-30])


def without_versions(lake: Lake) -> None:
    """Lose the folder of versions."""
    shutil.rmtree(lake.root / "_versions")


def lost_and_edited(lake: Lake) -> None:
    """Lose the folder of versions, and edit."""
    without_versions(lake)
    edit(lake.path(*NIH), "value", 1)


def leftovers(lake: Lake) -> None:
    """Leave temporary files, a file on its way that the history does not know, and a lock of nobody."""
    path = lake.path(*NIH)
    path.with_name(f".{path.name}.abc.tmp").write_bytes(b"half")
    lake.place(*NIH).next.write_bytes(b"half")
    (lake.root / "_locks" / "labels.nih_cxr14.lock").write_bytes(b"")


def old_layout(lake: Lake) -> None:
    """Make the lake what the first release left, then edit in place what then shared its bytes with the kept file."""
    record = lake.history(*NIH)[-1]
    history_path(lake, *NIH).write_text(
        json.dumps({"version": record.version, "rows": COUNT, "written_at": 1.0}) + "\n"
    )
    lake.path(*NIH).unlink()
    os.link(lake.place(*NIH).kept(record.version), lake.path(*NIH))
    (lake.root / "lake.json").write_text(json.dumps({"vocabulary_version": lake.vocabulary_version}))
    edit(lake.path(*NIH), "value", 1, in_place=True)


FILES: dict[str, Callable[[Lake], None]] = {
    "truncated": cut,
    "truncated in place": lambda lake: cut(lake, in_place=True),
    "emptied": lambda lake: rewrite(lake.path(*NIH), b""),
    "one bit flipped": flip,
    "a block of zeros": zeros,
    "no Parquet at all": lambda lake: rewrite(lake.path(*NIH), b"PAR1 not really"),
    "edited, metadata kept": lambda lake: edit(lake.path(*NIH), "value", 1),
    "edited in place, metadata kept": lambda lake: edit(lake.path(*NIH), "value", 1, in_place=True),
    "edited with pandas": with_pandas,
    "swapped between partitions": swap,
    "an earlier version copied over it": put_back,
    "deleted": lambda lake: lake.path(*NIH).unlink(),
    "published and kept file damaged": also_kept,
    "history lost": history_without(0),
    "last line of the history lost": history_without(1),
    "history changed": history_damaged,
    "history cut in a line": history_cut,
    "folder of versions lost": without_versions,
    "folder of versions lost, table edited": lost_and_edited,
    "leftovers of killed writers": leftovers,
    "lake of the first layout, edited in place": old_layout,
    "lake.json damaged": lambda lake: (lake.root / "lake.json").write_text("{"),
    "lake.json lost": lambda lake: (lake.root / "lake.json").unlink(),
}


def of_a_file(name: str, fault: Callable[[Lake], None], folder: Path) -> Outcome:
    """Let a fault happen, look, and try the ways out."""
    outcome, lake = Outcome(name), world(folder)
    fault(lake)
    lake = Lake.open(lake.root, create=False)
    look(lake, outcome)
    look(lake, outcome, ({1},), CCSMTL)
    try_ways_out(lake, outcome)
    return outcome


# --- faults of the disk ----------------------------------------------------------------------------------------------
def calls_of(lake: Lake, work: Callable[[], object], calls: tuple[str, ...] | None = None) -> int:
    """Return how many calls of the operating system a piece of work makes."""
    with failing(NEVER, *((errno.EIO, calls) if calls else ())) as made:
        work()
    return len(made)


def refusing_writes(name: str, fault: int, folder: Path) -> Outcome:
    """Let the disk refuse each call of a write in turn, and all after it."""
    outcome, lake = Outcome(name), world(folder)
    many = calls_of(lake, lambda: lake.write("labels", OLD, "nih_cxr14"))
    for number in range(1, many + 1):
        lake.write("labels", NEW, "nih_cxr14")
        try:
            with failing(number, fault):
                lake.write("labels", OLD, "nih_cxr14")
        except RadiaError as error:
            outcome.seen[f"writer: {error.kind}"] += 1
        look(Lake(lake.root), outcome, ({0}, {1}))
    outcome.note = f"each of {many} calls of a write"
    lake.write("labels", NEW, "nih_cxr14")
    try_ways_out(lake, outcome)
    return outcome


def refusing_reads(name: str, fault: int, folder: Path) -> Outcome:
    """Let the disk refuse each call of a reading in turn."""
    outcome, lake = Outcome(name), world(folder)
    for number in range(1, 7):
        lake.path(*NIH).touch()
        with failing(number, fault, READS):
            look(lake, outcome)
    outcome.note = "each call of a reading"
    try_ways_out(lake, outcome)
    return outcome


def killed_at_calls(folder: Path) -> Outcome:
    """Kill a writer at each of its calls."""
    outcome, lake = Outcome("SIGKILL at each call of a write"), world(folder)
    many = calls_of(lake, lambda: lake.write("labels", OLD, "nih_cxr14"))
    for number in range(1, many + 1):
        lake.write("labels", NEW, "nih_cxr14")
        subprocess.run([sys.executable, "-W", "ignore", "-c", CUT_WRITER, str(lake.root), str(number)], check=False)
        look(Lake(lake.root), outcome, ({0}, {1}))
    outcome.note = f"{many} points"
    lake.write("labels", NEW, "nih_cxr14")
    try_ways_out(lake, outcome)
    return outcome


def killed_at_random(folder: Path, kills: int = 30) -> Outcome:
    """Kill two writers at moments drawn at random."""
    outcome, lake, rnd = Outcome("SIGKILL of two writers at random moments"), world(folder), random.Random(7)
    for _ in range(kills):
        writers = start_writers(lake)
        time.sleep(rnd.uniform(0.0, 0.25))
        for writer in writers:
            writer.send_signal(signal.SIGKILL)
            writer.wait()
            writer.stdout.close()
        look(Lake(lake.root), outcome, ({0}, {1}))
    outcome.note = f"{kills} points"
    lake.write("labels", NEW, "nih_cxr14")
    try_ways_out(lake, outcome)
    return outcome


def start_writers(lake: Lake) -> list[subprocess.Popen]:
    """Start two processes that publish one table again and again, each its own rows."""
    command = [sys.executable, "-W", "ignore", "-c", WRITER, str(lake.root)]
    started = [subprocess.Popen([*command, str(value)], stdout=subprocess.PIPE) for value in (0, 1)]
    for writer in started:
        writer.stdout.readline()
    return started


def beside_writers(folder: Path, reads: int) -> Outcome:
    """Read beside two writers."""
    outcome, lake = Outcome("readers beside two writers"), world(folder)
    writers = start_writers(lake)
    since = time.monotonic()
    for _ in range(reads):
        look(lake, outcome, ({0}, {1}))
    outcome.note = f"{reads} reads, {len(lake.history(*NIH))} publications, {time.monotonic() - since:.0f} s"
    for writer in writers:
        writer.kill()
        writer.wait()
        writer.stdout.close()
    outcome.dead_ends += reads - outcome.seen["right rows"] - outcome.wrong_rows
    lake.write("labels", NEW, "nih_cxr14")
    try_ways_out(lake, outcome)
    return outcome


def two_writers(folder: Path) -> Outcome:
    """Let two writers publish for a while; afterwards every version that the history names is whole."""
    outcome, lake = Outcome("two writers"), world(folder)
    writers = start_writers(lake)
    time.sleep(3)
    for writer in writers:
        writer.kill()
        writer.wait()
        writer.stdout.close()
    for record in lake.history(*NIH)[:-1]:
        values = set(lake.read_version(*NIH, record.version)["value"].to_pylist())
        outcome.wrong_rows += values not in ({0}, {1})
    look(lake, outcome, ({0}, {1}))
    outcome.note = f"{len(lake.history(*NIH))} publications"
    lake.write("labels", NEW, "nih_cxr14")
    try_ways_out(lake, outcome)
    return outcome


def disk_full(folder: Path) -> Outcome:
    """Let files not grow beyond 3,000 bytes, which the operating system itself refuses."""
    outcome, lake = Outcome("disk full (RLIMIT_FSIZE)"), world(folder)
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    before = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (3000, limits[1]))
    try:
        lake.write("labels", labels(40_000), "nih_cxr14")
    except RadiaError as error:
        outcome.seen[f"writer: {error.kind}"] += 1
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, before)
    look(lake, outcome)
    try_ways_out(lake, outcome)
    return outcome


# --- faults around the tables ----------------------------------------------------------------------------------------
def clock_back(folder: Path) -> Outcome:
    """Set the clock back by a year between two publications."""
    outcome, lake = Outcome("clock back by a year"), world(folder)
    with mock.patch.object(time, "time", lambda real=time.time: real() - 366 * 86400):
        lake.write("labels", OLD, "nih_cxr14")
        outcome.wrong_rows += lake.history(*NIH)[-1].version != lake.version(*NIH)
        outcome.dead_ends += collect(lake, keep_days=1).deleted
        lake.write("labels", NEW, "nih_cxr14")
    look(lake, outcome)
    try_ways_out(lake, outcome)
    return outcome


def moved(folder: Path) -> Outcome:
    """Move the lake to a name with blanks and accents."""
    outcome, lake = Outcome("moved"), world(folder)
    change_settings(lake.root, sources_root=str(folder / "deliveries"))
    there = folder / "à côté" / "lac bleu"
    there.parent.mkdir()
    lake.root.rename(there)
    outcome.wrong_rows += read_settings(there).sources_root != str(folder / "à côté" / "deliveries")
    look(Lake.open(there, create=False), outcome)
    try_ways_out(Lake(there), outcome)
    return outcome


def copied(folder: Path) -> Outcome:
    """Copy the lake, write into the copy: the original stays to the byte."""
    outcome, lake = Outcome("copied, and the copy written"), world(folder)
    before = {path: path.read_bytes() for path in lake.root.rglob("*") if path.is_file()}
    shutil.copytree(lake.root, folder / "la copie")
    copy = Lake.open(folder / "la copie", create=False)
    copy.write("labels", OLD, "nih_cxr14")
    restore(copy, *NIH)
    outcome.wrong_rows += {path: path.read_bytes() for path in lake.root.rglob("*") if path.is_file()} != before
    look(copy, outcome, ({1},))
    look(lake, outcome)
    try_ways_out(lake, outcome)
    return outcome


def another_key(folder: Path) -> Outcome:
    """Come with another key: refused, and the lake stays as it is."""
    outcome, lake = Outcome("another key"), world(folder)
    Pseudonymizer(b"the key that the lake was made with").bind(lake)
    try:
        ANOTHER_KEY.bind(lake)
        outcome.wrong_rows += 1
    except RadiaError as error:
        outcome.seen[f"refused: {error.kind}"] += 1
    look(lake, outcome)
    try_ways_out(lake, outcome)
    return outcome


def settings_damaged(folder: Path) -> Outcome:
    """Damage ``settings.json``: named with the way out, which works."""
    outcome, lake = Outcome("settings.json damaged"), world(folder)
    (lake.root / "settings.json").write_text("{")
    try:
        read_settings(lake.root)
        outcome.wrong_rows += 1
    except RadiaError as error:
        outcome.seen[f"refused: {error.kind}"] += 1
    look(Lake.open(lake.root), outcome)
    (lake.root / "settings.json").unlink()
    outcome.ways["delete it"] = read_settings(lake.root).recipes == ()
    try_ways_out(lake, outcome)
    return outcome


def fingerprint_damaged(folder: Path) -> Outcome:
    """Damage the fingerprint of the key: named with the way out, which works."""
    outcome, lake = Outcome("key_fingerprint.txt damaged"), world(folder)
    ANOTHER_KEY.bind(lake)
    path = lake.root / "key_fingerprint.txt"
    path.write_bytes(b"\xff")
    try:
        ANOTHER_KEY.bind(lake)
        outcome.wrong_rows += 1
    except RadiaError as error:
        outcome.seen[f"refused: {error.kind}"] += 1
    path.unlink()
    ANOTHER_KEY.bind(lake)
    look(lake, outcome)
    try_ways_out(lake, outcome)
    return outcome


def rewritten(folder: Path) -> Outcome:
    """Let a tool write the same rows in other bytes: they are what was published."""
    outcome, lake = Outcome("same rows in other bytes"), world(folder)
    table = lake.read(*NIH)
    lake.path(*NIH).unlink()
    pq.write_table(table, lake.path(*NIH), compression="gzip")
    look(lake, outcome)
    try_ways_out(lake, outcome)
    return outcome


WORLDS: dict[str, Callable[[Path], Outcome]] = {
    "SIGKILL at each call of a write": killed_at_calls,
    "SIGKILL of two writers at random moments": killed_at_random,
    "two writers": two_writers,
    "disk full (RLIMIT_FSIZE)": disk_full,
    "clock back by a year": clock_back,
    "moved": moved,
    "copied, and the copy written": copied,
    "another key": another_key,
    "settings.json damaged": settings_damaged,
    "key_fingerprint.txt damaged": fingerprint_damaged,
    "same rows in other bytes": rewritten,
}
REFUSED = {
    "input or output error": errno.EIO,
    "stale handle of a share": errno.ESTALE,
    "several file systems": errno.EXDEV,
    "no space left": errno.ENOSPC,
    "quota": errno.EDQUOT,
    "read-only": errno.EROFS,
}
UNREAD = {"input or output error": errno.EIO, "stale handle of a share": errno.ESTALE, "no rights": errno.EACCES}


def jobs(reads: int) -> dict[str, Callable[[Path], Outcome]]:
    """Return every fault by its name in the table."""
    return {
        **{name: partial(of_a_file, name, fault) for name, fault in FILES.items()},
        **{f"writing: {name}": partial(refusing_writes, f"writing: {name}", fault) for name, fault in REFUSED.items()},
        **{f"reading: {name}": partial(refusing_reads, f"reading: {name}", fault) for name, fault in UNREAD.items()},
        **WORLDS,
        "readers beside two writers": partial(beside_writers, reads=reads),
    }


def main() -> int:
    """Run, keep and print each row; 0 where no rows were wrong and every fault has a way out."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--reads", type=int, default=50_000)
    parser.add_argument("--only", action="append", help="a fault by its name; the rows of all others stay")
    given = parser.parse_args()
    all_ = jobs(given.reads)
    kept = json.loads(RESULT.read_text(encoding="utf-8"))["table"] if given.only and RESULT.exists() else []
    table = {row["fault"]: row for row in kept if row["fault"] in all_}
    for name in given.only or all_:
        with tempfile.TemporaryDirectory() as folder:
            table[name] = {"fault": name, **all_[name](Path(folder)).row()}
        print(json.dumps(table[name], ensure_ascii=False), flush=True)
        total = {what: sum(row[what] for row in table.values()) for what in ("wrong_rows", "dead_ends")}
        result = {"faults": len(table), **total, "table": [table[name] for name in all_ if name in table]}
        RESULT.write_text(json.dumps(result, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    return int(any(total.values()))


if __name__ == "__main__":
    raise SystemExit(main())
