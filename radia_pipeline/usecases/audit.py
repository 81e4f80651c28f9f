"""Is a delivered file de-identified? Header, pixels and report tables, each by its own gate; this is ``radia audit``.

It stands above ``dicom`` and ``reports``, which know nothing of each other. Nothing is changed and no value is shown.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path

from radia_pipeline.contracts.sheets import source_sheet
from radia_pipeline.dicom import work
from radia_pipeline.dicom.examine import Task, Verdict
from radia_pipeline.errors import BadInput, Refusal
from radia_pipeline.privacy import container, prints, reasons
from radia_pipeline.privacy.header import audit_file, judgements
from radia_pipeline.privacy.limits import DEFAULT_LIMITS
from radia_pipeline.privacy.policy import policy_of, reads_pixels, report_policy_of
from radia_pipeline.privacy.text import breaches
from radia_pipeline.sources.delivered_tables import TextTable, read_table
from radia_pipeline.usecases.policy_proposal import files_below

_TABLE_SUFFIXES = (".csv", ".csv.gz")
_TEXT, _PATIENT, _STUDY = "report", "patient_id", "study_instance_uid"


def audit_files(paths: Iterable[Path], source: str, *, ocr_mode: str = "auto") -> Iterator[tuple[Path, list[str]]]:
    """Yield every file with its findings, none where it is de-identified; each finding names place and rule.

    Raises BadInput where a file cannot be read, RunFailed where Tesseract is missing though the policy demands that
    pixels are read (``ocr_mode`` is one of the policies' ``OCR_MODES``; off looks at headers only).
    """
    reads_text = reads_pixels(source, ocr_mode)
    for path in files_below(paths):
        if path.name.lower().endswith(_TABLE_SUFFIXES):
            yield path, list(audit_reports(path, source))
            continue
        findings = [str(finding) for finding in _of_header(path, source)]
        if reads_text and not any(finding.startswith("file ") for finding in findings):
            prints.require_tesseract()
            findings += _of_pixels(path, source)
        yield path, findings


def explain(paths: Iterable[Path], source: str) -> Iterator[tuple[Path, list[tuple[str, str, str, int]]]]:
    """Yield every DICOM file with its ledger: element, rule, verdict and the bytes that the rule answers for, in the
    order of the file; never a value. A file that cannot be walked has one line that says why."""
    policy = policy_of(source)
    for path in files_below(paths):
        data = _read(path)
        if container.sniff(data) != "dicom":
            continue
        try:
            parsed = container.parse(data)
        except Refusal as refusal:
            yield path, [("file", "walk", refusal.received, len(data))]
            continue
        yield path, [(one.where, one.rule, one.fault or "passes", one.size) for one in judgements(parsed, policy)]


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:
        raise BadInput(f"{path} cannot be read", accepted="a readable DICOM or CSV file") from None


def _of_header(path: Path, source: str) -> list:
    kind = container.sniff(_read(path))
    if kind == "headerless":
        return [f"file cannot be audited: {reasons.HEADERLESS_DICOM}"]
    return audit_file(path, source) if kind == "dicom" else ["file cannot be audited: neither DICOM nor a CSV table"]


def _of_pixels(path: Path, source: str) -> list[str]:
    """Decode in a process of its own, as the ingest does, and read what is printed into the picture."""
    with tempfile.TemporaryDirectory() as folder:
        staged = str(Path(folder) / "none.png")
        task = Task(str(path.absolute()), staged, source, 1024, reads_text=True, only_pixels=True)
        ((_, answer),) = work.judged([task], workers=1, limits=DEFAULT_LIMITS)
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
