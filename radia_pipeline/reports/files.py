"""Report files that a person hands to ``radia label``: JSON lines or CSV -> (id, text) pairs.

Belongs here: encodings, column names and errors that name the line: what a person hands over is refused rather than
mended. Does not belong here: deliveries of a source and how CSV is parsed (``sources``). Messages name lines, never
content.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

from radia_pipeline.errors import BadTable
from radia_pipeline.reports.french import FRENCH
from radia_pipeline.sources.delivered_tables import TextTable, parse_table

ID_COLUMNS = ("id", "study_id", "study_instance_uid", "report_id", "studyinstanceuid")
TEXT_COLUMNS = ("text", "report", "report_text")
_REMEDY = "save it as UTF-8 (for a Windows file: iconv -f cp1252 -t utf-8 IN > OUT)"


def read_report_file(path: Path | str, *, encoding: str | None = None) -> list[tuple[str, str]]:
    """Return (id, text) for every report of a file, "-" for standard input; empty texts are kept.

    UTF-8 with or without a byte order mark, or UTF-16 with one; ``encoding`` names another. Raises BadTable for bytes
    that cannot be read, a missing id or text column, a row without an id and a repeated id, each with its line.
    """
    text = _decode(_bytes(path), encoding)
    rows = _json_lines(text) if text.lstrip()[:1] in ("{", "[") else _csv(text)
    lines: dict[str, int] = {}
    found = []
    for line, report_id, report in rows:
        if not report_id:
            raise BadTable(f"Line {line} has no id", accepted="one id per report", do="fill the id column")
        if report_id in lines:
            raise BadTable(
                f"Line {line} repeats the id of line {lines[report_id]}",
                accepted="every id once",
                do="join the texts of one study, or give each its own id",
            )
        lines[report_id] = line
        found.append((report_id, report))
    return found


def _bytes(path: Path | str) -> bytes:
    if str(path) == "-":
        return sys.stdin.buffer.read()
    try:
        return Path(path).read_bytes()
    except OSError as error:
        raise BadTable(
            f"The report file {path} cannot be read ({error.strerror})", accepted="a readable file, or -"
        ) from None


def _decode(data: bytes, encoding: str | None) -> str:
    if data[:2] in (b"\xff\xfe", b"\xfe\xff"):
        encoding = "utf-16"
    try:
        text = data.decode(encoding or "utf-8-sig")
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        raise BadTable(
            f"Line {line} holds bytes that are not {encoding or 'UTF-8'}", accepted="UTF-8", do=_REMEDY
        ) from None
    except LookupError:
        raise BadTable(f"The encoding {encoding} is unknown", accepted="a name such as utf-8 or cp1252") from None
    if "\x00" in text:
        line = text[: text.index("\x00")].count("\n") + 1
        raise BadTable(f"Line {line} holds a zero byte", accepted="UTF-8 text", do=_REMEDY)
    return text


@cache
def _text_columns() -> tuple[str, ...]:
    return (*TEXT_COLUMNS, *FRENCH.content("words.yaml")["text_columns"])


def _key(names: Iterable[str], wanted: tuple[str, ...], role: str) -> str:
    by_name = {name.strip().lower(): name for name in names}
    for name in wanted:
        if name in by_name:
            return by_name[name]
    raise _without(role, len(by_name), wanted)


def _without(role: str, count: int, wanted: tuple[str, ...]) -> BadTable:
    return BadTable(
        f"There is no {role} column among {count} columns",
        accepted=f"one of {', '.join(wanted)}",
        do="name the column in the first line (or the key in every JSON line)",
    )


def _json_lines(text: str) -> Iterator[tuple[int, str, str]]:
    if text.lstrip().startswith("["):
        yield from _json_array(text)
        return
    for number, line in enumerate(text.split("\n"), 1):
        if line.strip():
            yield number, *_record(_parse(line, number), number)


def _json_array(text: str) -> Iterator[tuple[int, str, str]]:
    for number, record in enumerate(_parse(text, 1), 1):
        yield number, *_record(record, number)


def _parse(text: str, line: int) -> Any:
    try:
        return json.loads(text)
    except ValueError as error:
        at = line + getattr(error, "lineno", 1) - 1
        raise BadTable(f"Line {at} is not JSON", accepted="one JSON object per line, or CSV with a header") from None


def _record(record: object, line: int) -> tuple[str, str]:
    if not isinstance(record, dict):
        raise BadTable(f"Line {line} is not a JSON object", accepted='{"id": …, "text": …} per line')
    report_id, text = record[_key(record, ID_COLUMNS, "id")], record[_key(record, _text_columns(), "text")]
    if text is not None and not isinstance(text, str):
        raise BadTable(f"The text of line {line} is not a string", accepted="a string, empty or null for no text")
    return "" if report_id is None else str(report_id).strip(), text or ""


def _csv(text: str) -> Iterator[tuple[int, str, str]]:
    """Yield the rows of a table; one that holds more fields than the header would lose a part of its text."""
    table = parse_table(text, "The report file")
    id_at, text_at = _position(table, ID_COLUMNS, "id"), _position(table, _text_columns(), "text")
    if table.long_lines:
        raise BadTable(
            f"Line {table.long_lines[0]} has more fields than the header",
            accepted=f"fields separated by {table.delimiter!r}, texts in double quotes",
            do="put the text between double quotes",
        )
    for line, row in zip(table.lines, table.rows, strict=True):
        yield line, row[id_at].strip(), row[text_at]


def _position(table: TextTable, wanted: tuple[str, ...], role: str) -> int:
    found = table.position(*wanted)
    if found is None:
        raise _without(role, len(table.header), wanted)
    if table.header.count(table.header[found]) > 1:
        raise BadTable(f"The {role} column stands twice", accepted="each column once", do="rename or remove one")
    return found
