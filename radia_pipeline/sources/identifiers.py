"""Identifiers of a delivered table: one spelling each, as the source's sheet says they look, or the table is refused.

A spreadsheet or a data frame that takes an identifier for a number writes it rounded (2.17e+44) or as a fraction
(50414267.0). Studies that were apart become one, or rows find no image, and nothing looks wrong. So what cannot be put
right with certainty is refused; nothing is guessed here, and no identifier is ever named in a message.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence

from radia_pipeline.contracts.sheets import SourceSheet
from radia_pipeline.errors import BadTable
from radia_pipeline.sources.delivered_tables import TextTable

_EXPONENT = re.compile(r"[+-]?\d+([.,]\d+)?[eE][+-]?\d+")
_FRACTION = re.compile(r"(\d+)[.,]0+")
_EXACT_DIGITS = 15
"""A double holds every whole number of so many digits; of longer ones it holds a neighbour."""
_SHOWN_LINES = 5


def _whole(value: str) -> str | None:
    found = _FRACTION.fullmatch(value)
    if not found:
        return _text(value)
    whole = found.group(1)
    return whole if len(whole) <= _EXACT_DIGITS and whole.strip("0") else None


def _count(value: str) -> str | None:
    found = _FRACTION.fullmatch(value)
    whole = found.group(1) if found else value
    return str(int(whole)) if whole.isascii() and whole.isdigit() else None


def _text(value: str) -> str | None:
    is_number = _EXPONENT.fullmatch(value) or _FRACTION.fullmatch(value)
    return value if not is_number and value.strip("0") else None


FORMS: Mapping[str, tuple[Callable[[str], str | None], str]] = {
    "whole": (_whole, "a whole number or text as published, not only zeros; 123.0 is read as 123, no exponent is"),
    "count": (_count, "0, 1, 2, …; 3.0 is read as 3"),
    "text": (_text, "text, or a number as it was published: no exponent, no .0, not only zeros"),
}
"""What a sheet's ``identifiers`` may say of a column, and what that accepts. "or blank" may follow each."""


def identifiers(table: TextTable, sheet: SourceSheet, column: str) -> list[str]:
    """Return a column of identifiers in its one spelling; a blank stays blank where the sheet allows it.

    Raises BadTable where the column is missing, or holds what the sheet does not accept, or two spellings of what
    may be one identifier: such as differ by case or by leading zeros only. Counts what was put right.
    """
    form = sheet.identifiers[column]
    name = form.removesuffix(" or blank")
    read, accepted = FORMS[name]
    texts = table.column(column)
    cache = {text: read(text) for text in set(texts) - {""}}
    may_be_blank = form != name
    wrong = [row for row, text in enumerate(texts) if (cache.get(text) is None if text else not may_be_blank)]
    if wrong:
        _refuse(table, column, wrong, accepted + ("; blank where it is not known" if may_be_blank else ""))
    alike = _alike(cache.values(), name)
    if alike:
        rows = [row for row, text in enumerate(texts) if cache.get(text) in alike]
        _refuse(table, column, rows, "one spelling for each identifier: these differ by case or leading zeros only")
    table.problems["identifiers_respelled"] += sum(bool(text) and cache[text] != text for text in texts)
    return [(cache[text] or "") if text else "" for text in texts]


def _alike(values: Iterable[str | None], form: str) -> set[str]:
    """Return the identifiers that are written in more than one way."""
    first: dict[str, str] = {}
    alike: set[str] = set()
    for value in filter(None, values):
        plain = value.casefold() if form == "text" else value.casefold().lstrip("0") or value
        if first.setdefault(plain, value) != value:
            alike |= {value, first[plain]}
    return alike


def one_patient_each(table: TextTable, studies: Sequence[str], patients: Sequence[str], published: int = 0) -> set[str]:
    """Refuse a table in which a study belongs to several patients; raises BadTable naming lines.

    ``published``: how many such studies the publisher's own table is known to hold: as many are returned, to be left
    out. Rows without a patient say nothing of whose the study is.
    """
    first: dict[str, str] = {}
    known = [(study, patient) for study, patient in zip(studies, patients) if patient]
    mixed = {study for study, patient in known if first.setdefault(study, patient) != patient}
    if len(mixed) > published:
        where = _lines(table, [row for row, study in enumerate(studies) if study in mixed])
        raise BadTable(
            f"{table.name}: {len(mixed)} of {len(set(studies))} studies belong to several patients ({where})",
            accepted="one patient for each study" + (f", but for {published} as published" if published else ""),
            do="export the table again with identifiers as text: numbers that were rounded fall together",
        )
    return mixed


def _refuse(table: TextTable, column: str, rows: Sequence[int], accepted: str) -> None:
    raise BadTable(
        f"{table.name}: {len(rows)} of {len(table)} values of {column!r} are no identifiers of this source "
        f"({_lines(table, rows)})",
        accepted=accepted,
        do="export the table again with identifiers as text; a table that was saved by a spreadsheet or as numbers "
        "does not hold them any more",
    )


def _lines(table: TextTable, rows: Sequence[int]) -> str:
    shown = ", ".join(str(table.lines[row]) for row in rows[:_SHOWN_LINES])
    return f"line {shown}" + (", …" if len(rows) > _SHOWN_LINES else "")
