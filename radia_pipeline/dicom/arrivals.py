"""When the lake first saw what was delivered, by the clock of whoever looks after it: a source's deliveries.

A visit of the ingest that finds a file or a report that was never seen opens a delivery. Its number and time are on
disk before any work is done, so that a killed run goes on with the same one. What had been seen before the lake kept a
clock belongs to delivery 0, whose time nobody knows. Not here: what became of the files, which ``deliveries`` counts.
"""

from __future__ import annotations

import sqlite3
import time
import uuid
from collections.abc import Callable, Iterable, Mapping

from radia_pipeline.dicom.journal import FILE, REPORT, Journal

BEFORE_THE_CLOCK = 0


def note(
    journal: Journal,
    kind: str,
    ids: Iterable[str],
    *,
    standing: Callable[[], Iterable[str]],
    visit: str | None = None,
    now_s: float | None = None,
) -> int | None:
    """Write down what arrived and was never seen; returns the delivery that it belongs to, None where nothing is new.

    ``kind``: FILE or REPORT, ``ids``: paths or studies as they lie there now. ``standing``: those that the lake knew
    before it kept this clock; asked once. ``visit``: names the run, None one of its own. Files and reports of one visit
    belong together, and so do those of a visit that was killed and of the next: what is new joins the last delivery
    unless things of its kind were looked for in it already.
    """
    visit, now_s = visit or uuid.uuid4().hex, time.time() if now_s is None else now_s
    with journal.changing() as rows:
        rows.execute("create temp table if not exists named (id text primary key) without rowid")
        rows.execute("delete from temp.named")
        rows.executemany("insert or ignore into temp.named values (?)", ((one,) for one in ids))
        if not _is_any(rows, "select 1 from arrived where kind = ?", kind):
            _place(rows, kind, standing(), BEFORE_THE_CLOCK)
            if _is_any(rows, "select 1 from arrived where kind = ?", kind):
                rows.execute(f"insert or ignore into deliveries (delivery) values ({BEFORE_THE_CLOCK})")
        unseen = "from temp.named where id not in (select id from arrived where kind = ?)"
        new = _is_any(rows, f"select 1 {unseen}", kind)
        newest = f"select delivery, visit, has_{kind} from deliveries order by delivery desc limit 1"
        last = rows.execute(newest).fetchone()
        number, opened_by, was_looked_for = last or (BEFORE_THE_CLOCK, None, True)
        if new and (number == BEFORE_THE_CLOCK or (was_looked_for and opened_by != visit)):
            number += 1
            rows.execute(
                "insert into deliveries (delivery, first_seen_s, visit) values (?, ?, ?)", (number, now_s, visit)
            )
            for (looked,) in rows.execute("select kind from looks where visit = ?", (visit,)).fetchall():
                rows.execute(f"update deliveries set has_{looked} = 1 where delivery = ?", (number,))
        rows.execute(f"update deliveries set has_{kind} = 1 where delivery = ?", (number,))
        rows.execute("insert or replace into looks values (?, ?)", (kind, visit))
        rows.execute(f"insert into arrived select ?, id, ? {unseen}", (kind, number, kind))
    return number if new else None


def _is_any(rows: sqlite3.Connection, query: str, kind: str) -> bool:
    return rows.execute(f"{query} limit 1", (kind,)).fetchone() is not None


def _place(rows: sqlite3.Connection, kind: str, ids: Iterable[str], delivery: int) -> None:
    rows.executemany("insert or ignore into arrived values (?, ?, ?)", ((kind, one, delivery) for one in ids))


def first_seen_s(journal: Journal) -> dict[int, float | None]:
    """Return delivery → seconds since 1970 (UTC), None for delivery 0."""
    return dict(journal.read("select delivery, first_seen_s from deliveries order by delivery"))


def files_by_delivery(journal: Journal) -> dict[int, int]:
    """Return delivery → how many files came with it."""
    return dict(journal.read("select delivery, count(*) from arrived where kind = ? group by delivery", (FILE,)))


def delivery_of(journal: Journal, kind: str, one: str) -> int | None:
    """Return with which delivery a file or a study's report came; None where that was not noted."""
    found = list(journal.read("select delivery from arrived where kind = ? and id = ?", (kind, one)))
    return found[0][0] if found else None


def dated(
    journal: Journal, files: Mapping[str, int], reports: Mapping[str, int], first_seen_s: Mapping[int, float]
) -> None:
    """Write the clock anew, all of it: delivery of each path and of each study's report, and when each came.

    For lakes of invented patients, which may have a past that nobody lived.
    """
    with journal.changing() as rows:
        for table in ("deliveries", "arrived", "looks"):
            rows.execute(f"delete from {table}")
        rows.executemany(
            "insert into deliveries (delivery, first_seen_s, has_file, has_report) values (?, ?, 1, 1)",
            sorted(first_seen_s.items()),
        )
        for kind, of in ((FILE, files), (REPORT, reports)):
            rows.executemany(
                "insert into arrived values (?, ?, ?)", [(kind, one, number) for one, number in of.items()]
            )
