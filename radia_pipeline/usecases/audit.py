"""Is a delivered file de-identified? Header, pixels and report tables, each by its own gate; this is ``radia audit``.

It stands above ``dicom`` and ``reports``, which know nothing of each other. Nothing is changed and no value is shown.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from radia_pipeline.contracts.sheets import source_sheet
from radia_pipeline.dicom import work
from radia_pipeline.dicom.admission import Intake, admit
from radia_pipeline.dicom.delivered import digest_of, read_whole
from radia_pipeline.dicom.examine import Task, Verdict
from radia_pipeline.dicom.judgement import STORED_SIDE_PX
from radia_pipeline.errors import BadInput, BadTable, LakeUnwritable, Refusal
from radia_pipeline.privacy import container, reasons
from radia_pipeline.privacy.header import audit, judgements
from radia_pipeline.privacy.limits import DEFAULT_LIMITS
from radia_pipeline.privacy.policy import policy_of, reads_pixels, report_policy_of
from radia_pipeline.privacy.text import breaches
from radia_pipeline.processes import pool
from radia_pipeline.processes.progress import say
from radia_pipeline.processes.where import where_named
from radia_pipeline.sources.delivered_tables import TextTable, read_table
from radia_pipeline.sources.registry import source as source_of
from radia_pipeline.usecases.given_files import files_below

_TABLE_SUFFIXES = (".csv", ".csv.gz")
_NOWHERE = "none.png"
"""Where a worker would put the picture, of which an audit wants none."""
_AHEAD = 4
"""Files of each worker that may be looked at while an earlier one takes its time."""
_TEXT, _PATIENT, _STUDY = "report", "patient_id", "study_instance_uid"


@dataclass(frozen=True)
class Findings:
    """What the gate of a file found. ``is_whole``: its header was judged to the end, so that its pixels may be."""

    said: tuple[str, ...] = ()
    is_whole: bool = False


def audit_files(
    paths: Iterable[Path],
    source: str,
    *,
    ocr_mode: str = "auto",
    workers: int | None = None,
    pool_address: str | None = None,
    tell: Callable[[str], None] = say,
) -> Iterator[tuple[Path, list[str]]]:
    """Yield every file, in order, with its findings, none where it is de-identified; each names place and rule.

    Whatever lies in a delivery gets a verdict: what cannot be read or is no regular file, too. Raises BadInput where a
    path that is named is not there. ``ocr_mode`` is one of the policies' ``OCR_MODES``; off looks at headers only.
    Pixels are decoded and read in worker processes, ``workers`` of them or on a cluster at ``pool_address``, whose
    nodes ``tell`` names.
    """
    listed, reads_text = files_below(paths), reads_pixels(source, ocr_mode)
    if not reads_text:
        yield from ((path, list(_before_pixels(path, source).said)) for path in listed)
        return
    waiting: deque[tuple[Path, Findings]] = deque()

    def tasks() -> Iterator[Task]:
        for path in listed:
            found = _before_pixels(path, source)
            waiting.append((path, found))
            if found.is_whole:
                yield Task(str(path.absolute()), _NOWHERE, source, STORED_SIDE_PX, reads_text=True, only_pixels=True)

    def without_pixels() -> Iterator[tuple[Path, list[str]]]:
        while waiting and not waiting[0][1].is_whole:
            path, found = waiting.popleft()
            yield path, list(found.said)

    count = min(workers or pool.default_workers(), max(1, len(listed)))
    where = where_named(pool_address, reads={path.absolute().parent for path in listed}, tell=tell)
    answers = work.judged(
        tasks(), workers=count, limits=DEFAULT_LIMITS, reads_text=True, window=_AHEAD * count, where=where
    )
    for answer in pool.in_order(answers):
        yield from without_pixels()
        path, found = waiting.popleft()
        yield path, [*found.said, *_of_pixels(answer)]
    yield from without_pixels()


def _before_pixels(path: Path, source: str) -> Findings:
    if path.name.lower().endswith(_TABLE_SUFFIXES):
        return Findings(tuple(_of_table(path, source)))
    return _of_header(path, source)


def explain(paths: Iterable[Path], source: str) -> Iterator[tuple[Path, list[tuple[str, str, str, int]]]]:
    """Yield every DICOM file with its ledger: element, rule, verdict and the bytes that the rule answers for, in the
    order of the file; never a value. A file that cannot be walked has one line that says why."""
    policy = policy_of(source)
    for path in files_below(paths):
        try:
            data, _ = read_whole(path)
        except Refusal as refusal:
            yield path, [("file", "reading", refusal.received, 0)]
            continue
        if container.sniff(data) != "dicom":
            continue
        try:
            parsed = container.parse(data)
        except Refusal as refusal:
            yield path, [("file", "walk", refusal.received, len(data))]
            continue
        yield path, [(one.where, one.rule, one.fault or "passes", one.size) for one in judgements(parsed, policy)]


def _of_header(path: Path, source: str) -> Findings:
    """Judge as the ingest does (``dicom.admission``); of an identity all findings are told, and not the first alone."""
    policy = policy_of(source)
    try:
        data, _ = read_whole(path)
        admit(data, Intake(policy, is_listed=source_of(source).has_table))
    except Refusal as refusal:
        if refusal.reason != reasons.IDENTITY_IN_HEADER:
            return Findings((f"file cannot be audited: {refusal.reason}",))
        return Findings(tuple(map(str, audit(container.parse(data), policy))), is_whole=True)
    return Findings(is_whole=True)


def _of_table(path: Path, source: str) -> Iterator[str]:
    """Yield the findings of a CSV; one that cannot be read as a table of reports is no table of reports."""
    try:
        digest_of(path)
        yield from audit_reports(path, source)
    except (OSError, Refusal):
        yield f"file cannot be audited: {reasons.UNREADABLE}"
    except BadTable as error:
        yield f"file cannot be audited: no table of reports ({error.kind})"


def _of_pixels(answer: Verdict | LakeUnwritable | pool.Lost) -> list[str]:
    """Return what was found where a worker read what is printed into the picture."""
    if isinstance(answer, LakeUnwritable):
        raise answer
    if not isinstance(answer, Verdict):
        return [f"(7FE0,0010) cannot be audited: decoder {answer}"]
    if answer.reason is None:
        return []
    return [f"(7FE0,0010) {answer.reason}" + (f": {answer.detail}" if answer.detail else "")]


def audit_reports(path: Path, source: str) -> Iterator[str]:
    """Yield the findings of a report table: rows (from 1, the header aside) and the rules that their texts break."""
    if not path.is_file():
        raise BadInput(f"{path} cannot be read", accepted="a readable DICOM or CSV file")
    table, policy = read_table(path), report_policy_of(source)
    yield from _undeclared_columns(table, source)
    for row, text in enumerate(table.column(_TEXT), 1):
        for breach in breaches(text, policy):
            yield f"row {row}, {_TEXT}: {breach}"
    for row, patient in enumerate(table.optional(_PATIENT), 1):
        if patient and policy.patient is not None and not policy.patient.fullmatch(patient):
            yield f"row {row}, {_PATIENT}: not a declared pseudonym"
    for row, study in enumerate(table.optional(_STUDY), 1):
        if study.strip("0123456789."):
            yield f"row {row}, {_STUDY}: not a UID"


def _undeclared_columns(table: TextTable, source: str) -> Iterator[str]:
    declared = {_TEXT, _PATIENT, _STUDY} | set(source_sheet(source).columns.get("reports.csv", ()))
    for number, name in enumerate(table.header, 1):
        if name.strip().casefold() not in declared and any(table.column(name)):
            yield f"column {number}: not declared in the source's sheet"
