"""The one reader of CSV that comes from elsewhere: gz, BOM, comma, semicolon or tab, UTF-8 or cp1252, ragged rows.

Knows nothing of any dataset. Values stay text; what a column means is the adapter's business, and how strict to be its
reader's: a table says on which lines its rows begin and which are too long. Messages name a table by its published file
name and a line number, never by a value.
"""

from __future__ import annotations

import csv
import gzip
import io
import zlib
from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from radia_pipeline.errors import BadTable

_DELIMITERS = (",", ";", "\t")
# A report is a few kilobytes; anything near this is an unbalanced quote that swallowed the rest of the file.
_LONGEST_FIELD = 1 << 24


@dataclass(frozen=True)
class TextTable:
    """A table of text columns, every row as wide as the header.

    ``lines``: the line of the file on which each row begins. ``long_lines``: those of rows that held more than the
    header names. ``delimiter``: what separates the fields.
    """

    name: str
    header: tuple[str, ...]
    rows: list[list[str]]
    lines: list[int]
    delimiter: str
    long_lines: list[int] = field(default_factory=list)
    problems: Counter = field(default_factory=Counter)

    def __len__(self) -> int:
        return len(self.rows)

    def position(self, *accepted: str) -> int | None:
        """Return the column whose name is one of ``accepted`` (case and spaces aside), or None."""
        names = [_plain(name) for name in self.header]
        for candidate in accepted:
            if _plain(candidate) in names:
                return names.index(_plain(candidate))
        return None

    def column(self, *accepted: str) -> list[str]:
        """Return a required column, each value stripped; raises BadTable naming the columns that are there."""
        position = self.position(*accepted)
        if position is None:
            raise BadTable(
                f"{self.name} has no column {accepted[0]!r}; "
                f"it has {', '.join(repr(name) for name in self.header[:40])}",
                accepted=" or ".join(repr(name) for name in accepted),
                do="restore the published header, or export the table again",
            )
        return [row[position].strip() for row in self.rows]

    def optional(self, *accepted: str) -> list[str]:
        """Return a column, or empty texts where the table does not have it."""
        if self.position(*accepted) is None:
            return [""] * len(self.rows)
        return self.column(*accepted)


def _plain(name: str) -> str:
    return " ".join(name.split()).casefold()


def find_table(root: Path, names: Sequence[str]) -> Path | None:
    """Return the first file of ``names`` (or its ``.gz``) under ``root`` whose exact relative path exists."""
    for name in names:
        for candidate in (root / name, root / f"{name}.gz"):
            if candidate.is_file():
                return candidate
    return None


def require_table(root: Path, names: Sequence[str]) -> Path:
    """Return ``find_table``'s answer; raises BadTable naming what was looked for."""
    found = find_table(root, names)
    if found is None:
        raise BadTable(
            f"No {names[0]} in {root}", accepted=", ".join(names) + ", each also as .gz", do="complete the delivery"
        )
    return found


def _text_of(path: Path) -> tuple[str, str]:
    """Return the file's text and the encoding that it was read with."""
    try:
        raw = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    except (OSError, EOFError, zlib.error) as error:
        raise BadTable(
            f"{path.name} cannot be read ({type(error).__name__})",
            accepted="a readable CSV, plain or whole gzip",
            do="copy it again",
        ) from None
    for encoding in ("utf-8-sig", "cp1252"):
        try:
            return raw.decode(encoding), encoding
        except UnicodeDecodeError:
            continue
    return raw.decode("latin-1"), "latin-1"


def _delimiter_of(first_line: str) -> str:
    return max(_DELIMITERS, key=first_line.count)


def read_table(path: Path, *, width: int | None = None, only: Collection[str] | None = None) -> TextTable:
    """Read one delivered CSV. ``width``: how many columns the rows have where the header has empty ones more.
    ``only``: the columns that are kept, for tables whose others are long texts.

    Raises BadTable where there is no header, or where a field is longer than any report, as an unclosed quote makes it
    (with the line on which its row begins).
    """
    text, encoding = _text_of(path)
    if not text.split("\n", 1)[0].strip():
        raise BadTable(f"{path.name} has no header line", do="export the table again")
    table = parse_table(text, path.name, width=width, only=only)
    if encoding != "utf-8-sig":
        table.problems[f"read_as_{encoding.replace('-', '_')}"] += 1
    return table


def parse_table(text: str, name: str, *, width: int | None = None, only: Collection[str] | None = None) -> TextTable:
    """Return the table that stands in ``text``; a text without a first line has no columns. ``name``: for messages.

    Rows of empty fields are left out. A row that is shorter or longer than the header is padded or cut and counted;
    empty fields beyond the header are no problem. Raises BadTable as ``read_table`` does.
    """
    csv.field_size_limit(_LONGEST_FIELD)
    delimiter = _delimiter_of(text.split("\n", 1)[0])
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
    table, begins = None, 1
    try:
        header = [column.strip() for column in next(reader, [])][:width]
        wanted = {_plain(column) for column in only} if only is not None else None
        kept = None if wanted is None else [place for place, column in enumerate(header) if _plain(column) in wanted]
        table = TextTable(name, tuple(header), [], [], delimiter)
        begins = reader.line_num + 1
        for row in reader:
            if any(row):
                table.lines.append(begins)
                row = row if len(row) == len(header) else _fitted(row, table)
                table.rows.append(row if kept is None else [row[place] for place in kept])
            begins = reader.line_num + 1
    except csv.Error:
        raise BadTable(f"{name} cannot be parsed at line {begins}", do="mend the quotes on that line") from None
    return table if kept is None else replace(table, header=tuple(header[place] for place in kept))


def _fitted(row: list[str], table: TextTable) -> list[str]:
    """Pad or cut the table's newest row to the header's width and count it."""
    width = len(table.header)
    if len(row) < width:
        table.problems["short_rows"] += 1
        return row + [""] * (width - len(row))
    if any(value.strip() for value in row[width:]):
        table.problems["long_rows"] += 1
        table.long_lines.append(table.lines[-1])
    return row[:width]


def header_of(path: Path) -> list[str]:
    """Return the column names of a delivered CSV in lower case, without reading its rows; nothing where it is
    unreadable.
    """
    opener = gzip.open if path.suffix == ".gz" else open
    try:
        with opener(path, "rb") as handle:
            line = handle.readline(1 << 16).decode("utf-8-sig", errors="replace")
    except (OSError, EOFError, zlib.error):
        return []
    return [_plain(name) for name in next(csv.reader([line], delimiter=_delimiter_of(line)), [])]


def as_float(value: str) -> float | None:
    """Return a number, or None where the text is none (decimal commas are read)."""
    try:
        return float(value.replace(",", "."))
    except ValueError:
        return None


def age_in_years(value: str, problems: Counter, *, oldest: float = 120.0) -> float | None:
    """Return an age in years from ``58``, ``058Y``, ``006M``, ``003W`` or ``012D``; impossible ages are None and
    counted.
    """
    text = value.strip().upper()
    if not text:
        return None
    per_year = {"Y": 1.0, "M": 12.0, "W": 52.18, "D": 365.25}.get(text[-1])
    number = as_float(text[:-1] if per_year else text)
    if number is None or number < 0 or number / (per_year or 1.0) > oldest:
        problems["impossible_ages"] += 1
        return None
    return number / (per_year or 1.0)


def sex_of(value: str) -> str | None:
    """Return F, M or O from the spellings that deliveries use; None where nothing is said."""
    return {"f": "F", "female": "F", "m": "M", "male": "M", "o": "O", "other": "O"}.get(value.strip().casefold())


def count_duplicates(keys: Iterable) -> int:
    """Return how many rows repeat an earlier key."""
    keys = list(keys)
    return len(keys) - len(set(keys))
