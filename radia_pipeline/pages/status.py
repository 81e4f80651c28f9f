"""The steward's page: what came, what was refused, what answers, what waits for a person.

Not here: any of these facts (``usecases.status``).
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from radia_pipeline.errors import DamagedFile
from radia_pipeline.lake.atomic import write_text
from radia_pipeline.lake.lake import Lake
from radia_pipeline.pages.render import NONE, made_from, render
from radia_pipeline.processes.progress import say
from radia_pipeline.usecases.champion_text import answers_words
from radia_pipeline.usecases.status import LATELY_DAYS, ago, day, drift_words, status

STATUS = "status.html"
SECTIONS = (
    ("waits", "What waits for a person"),
    ("came", "What came"),
    ("answers", "What answers"),
    ("drift", "Drift"),
)


def write_status_page(lake: Lake, now_s: float) -> Path:
    """Write the page of the lake at a moment (seconds since 1970) and return its path."""
    found = status(lake, now_s)
    rows = [
        {
            **row,
            "day": day(row["last_seen"]),
            "ago": ago(row),
            "reasons": ", ".join(f"{name} {count}" for name, count in row["lately_reasons"].items()) or NONE,
        }
        for row in found["sources"]
    ]
    waits = [{"what": one["what"], "do": _commands_apart(one["do"])} for one in found["waits"]]
    content = {
        "title": "Status",
        "made_from": made_from(lake, "ensemble", "champion"),
        "sections": SECTIONS,
        "at": found["at"],
        "rows": rows,
        "waits": waits,
        "lately": LATELY_DAYS,
        "answers": answers_words(found["answers"]),
        "since": (found["answers_since"] or "")[:10],
        "drift": drift_words(found["drift"]).replace("`", ""),
        "tiles": _tiles(len(found["waits"]), rows),
    }
    path = lake.root.absolute() / STATUS
    write_text(path, render("status.html.j2", content))
    return path


def refresh_status_page(lake: Lake, now_s: float) -> None:
    """Write the page after a step; one that stands stays where a table is damaged, which a later step may replace."""
    try:
        write_status_page(lake, now_s)
    except DamagedFile as error:
        say(f"{STATUS} was not written anew: {error}")


def _commands_apart(text: str) -> list[tuple[str, bool]]:
    """Return a text cut at its backticks: (part, whether it is a command)."""
    words = text[:1].upper() + text[1:]
    return [(part, place % 2 == 1) for place, part in enumerate(words.split("`"))]


def _tiles(waits: int, rows: list[dict[str, Any]]) -> list[dict[str, str]]:
    silent = [row["source"] for row in rows if row["is_silent"]]
    lately = {
        name: f"{sum(row[f'lately_{name}'] for row in rows):,}".replace(",", " ") for name in ("files", "refused")
    }
    return [
        {"name": "wait for a person", "value": str(waits), "note": ""},
        {"name": f"files in {LATELY_DAYS} days", "value": lately["files"], "note": ""},
        {"name": "of these refused", "value": lately["refused"], "note": ""},
        {"name": "silent sources", "value": str(len(silent)), "note": ", ".join(silent)},
    ]
