"""Is this DICOM de-identified? An auditor, not an anonymizer: it changes nothing and fails closed.

Each finding names tag and rule and never a value. The table of the standard is in ``profile``, the site's choices
are in ``policy``; text inside the pixels is the question of ``prints``.

Values are judged as raw bytes, one character per byte, so that no character set, however wrong, hides one.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from pydicom.datadict import dictionary_VR
from pydicom.dataelem import RawDataElement
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence

from radia_pipeline.errors import BadInput, Refusal
from radia_pipeline.privacy import container as dicom_container
from radia_pipeline.privacy.container import Container
from radia_pipeline.privacy.limits import DEFAULT_LIMITS
from radia_pipeline.privacy.policy import Policy, policy_of
from radia_pipeline.privacy.profile import profile_row

_TEXT = frozenset({"AE", "LO", "LT", "PN", "SH", "ST", "UC", "UR", "UT"})
_NUMERIC_TEXT = {
    "DS": re.compile(r"[0-9+\-.eE \\]*"),
    "IS": re.compile(r"[0-9+\- \\]*"),
    "AS": re.compile(r"(\d{3}[DWMY])?"),
    "DA": re.compile(r"(\d{8}|\d{4}\.\d\d\.\d\d)?"),
    "TM": re.compile(r"(\d{2}(:?\d{2}(:?\d{2}(\.\d{1,6})?)?)?)?"),
    "DT": re.compile(r"(\d{4,14}(\.\d{1,6})?([+-]\d{4})?)?"),
    "UI": re.compile(r"[0-9.\\]*"),
    "CS": re.compile(r"[A-Za-z0-9_ \\]*"),
}
_DATES = frozenset({"DA", "TM", "DT"})
_BINARY = frozenset({"FD", "FL", "SL", "SS", "SV", "UL", "US", "UV", "AT"})
_STANDARD_UIDS = "1.2.840.10008."
_PATIENT_TAGS = frozenset({0x00100010, 0x00100020})
_IDENTITY_REMOVED, _METHOD, _BURNED_IN, _PREAMBLE = "(0012,0062)", "(0012,0063)", "(0028,0301)", "preamble"
_IDENTITIES = (
    ("health_insurance_number", re.compile(r"(?<![A-Z])[A-Z]{4}[ -]?\d{4}[ -]?\d{4}(?!\d)", re.IGNORECASE)),
    ("phone_number", re.compile(r"(?<!\d)\(?\d{3}\)?[ .-]\d{3}[ .-]\d{4}(?!\d)")),
    ("mail_address", re.compile(r"[\w.+-]+@[\w-]+\.[\w.]+")),
    ("name_with_caret", re.compile(r"[^\W\d]{2,}\^[^\W\d]{2,}")),
    ("written_date", re.compile(r"(?<!\d)(19|20)\d\d[-/](0[1-9]|1[0-2])[-/]([0-2]\d|3[01])(?!\d)")),
)


@dataclass(frozen=True, order=True)
class Finding:
    """``tag``: where, with the sequences that lead there. ``rule``: which rule it breaks. Never a value."""

    tag: str
    rule: str

    def __str__(self) -> str:
        return f"{self.tag} {self.rule}"


def audit_file(path: Path | str, source: str = "ccsmtl") -> list[Finding]:
    """Audit one DICOM file's header against the policy of ``source``; an empty list means de-identified.

    Raises BadInput where the file cannot be read or is no DICOM; a file that cannot be parsed whole is a finding.
    """
    try:
        data = Path(path).read_bytes()
    except OSError:
        raise BadInput("The file cannot be read", accepted="a readable DICOM file") from None
    if dicom_container.sniff(data) != "dicom":
        raise BadInput("The file is no DICOM file", accepted="a file with the DICM prefix (PS3.10)")
    try:
        parsed = dicom_container.parse(data)
    except Refusal as refusal:
        return [Finding("file", f"cannot be audited: {refusal.reason}")]
    return audit(parsed, policy_of(source))


def audit(container: Container, policy: Policy) -> list[Finding]:
    """Return all findings of a parsed file, sorted, each once."""
    findings = set(_about_the_whole(container, policy))
    budget = [DEFAULT_LIMITS.elements]
    for dataset in (container.meta, container.dataset, container.trailing):
        findings.update(_walk(dataset, "", policy, 0, budget))
    return sorted(findings)


def _about_the_whole(container: Container, policy: Policy) -> Iterator[Finding]:
    dataset = container.dataset
    if policy.require_identity_removed and _text_of(dataset, 0x00120062).upper() != "YES":
        yield Finding(_IDENTITY_REMOVED, "must be YES")
    if policy.method and not _text_of(dataset, 0x00120063).startswith(policy.method):
        yield Finding(_METHOD, "must name the declared method")
    if _text_of(dataset, 0x00280301).upper() not in ("", "NO"):
        yield Finding(_BURNED_IN, "burned-in annotation declared")
    if container.preamble.strip(b"\0") and not container.preamble.startswith((b"II*\0", b"MM\0*")):
        yield Finding(_PREAMBLE, "must be empty")
    elif re.search(rb"[A-Za-z]{4}", container.preamble):
        yield Finding(_PREAMBLE, "holds text")


def _text_of(dataset: Dataset, tag: int) -> str:
    return _characters(_raw_value(dataset, tag)) if tag in dataset else ""


def _raw_value(dataset: Dataset, tag: int) -> object:
    element = dataset.get_item(tag)
    return element.value if element is not None else None


def _characters(value: object) -> str:
    """Return a value as text without padding; bytes one character each, whatever character set they claim."""
    if value is None:
        return ""
    if isinstance(value, bytes):
        return value.decode("latin-1").strip("\0 ")
    if isinstance(value, str):
        return value.strip("\0 ")
    if isinstance(value, (list, tuple)) or hasattr(value, "__iter__"):
        return "\\".join(_characters(part) for part in value)
    return str(value)


def _walk(dataset: Dataset, where: str, policy: Policy, depth: int, budget: list[int]) -> Iterator[Finding]:
    if depth > DEFAULT_LIMITS.nesting:
        yield Finding(where, "nested too deeply to audit")
        return
    for tag in sorted(dataset.keys()):
        budget[0] -= 1
        if budget[0] < 0:
            yield Finding(where or "data set", "too many elements to audit")
            return
        yield from _judge(dataset, int(tag), where, policy, depth, budget)


def _judge(dataset: Dataset, tag: int, where: str, policy: Policy, depth: int, budget: list[int]) -> Iterator[Finding]:
    name = f"{where}({tag >> 16:04X},{tag & 0xFFFF:04X})"
    element = dataset.get_item(tag)
    vr, known = _representation(tag, element)
    items = _items(dataset, tag, element, vr)
    if items is not None:
        row = profile_row(tag)
        if len(items) and row is not None and not _is_retained(row.options, policy) and not _is_uid_row(row.basic):
            yield Finding(name, f"Table E.1-1 {row.basic}: must be empty")
        for item in items:
            yield from _walk(item, f"{name}>", policy, depth + 1, budget)
        return
    value = element.value
    text = _characters(value)
    if not text:
        return
    if tag >> 16 & 1:
        yield from _private(tag, name, text, policy)
    elif not known and profile_row(tag) is None:
        if policy.deny_unknown and tag & 0xFFFF:
            yield Finding(name, "unknown tag")
    else:
        yield from _public(tag, vr, name, value, text, policy)


def _representation(tag: int, element: object) -> tuple[str, bool]:
    """Return the value representation to judge by, and whether the standard knows the tag.

    The standard's own representation decides; a file that claims another cannot talk its way around a rule.
    """
    try:
        return dictionary_VR(tag).split(" or ")[0], True
    except KeyError:
        return (getattr(element, "VR", None) or "UN"), False


def _items(dataset: Dataset, tag: int, element: object, vr: str) -> Sequence | None:
    """Return the items of a sequence, None where the element is none."""
    if isinstance(element, RawDataElement):
        if vr != "SQ" and element.VR != "SQ":
            return None
        if not element.value:
            return Sequence()
        value = dataset[tag].value
        return value if isinstance(value, Sequence) else None
    return element.value if isinstance(element.value, Sequence) else None


def _private(tag: int, name: str, text: str, policy: Policy) -> Iterator[Finding]:
    is_creator = 0x10 <= tag & 0xFFFF <= 0xFF
    if is_creator and text in policy.private_creators:
        return
    if policy.deny_private:
        yield Finding(name, "private value")
    else:
        yield from _scan(name, text)


def _is_retained(options: dict, policy: Policy) -> bool:
    return any(name in policy.options for name in options)


def _is_uid_row(basic: str) -> bool:
    return basic.startswith("U")


def _public(tag: int, vr: str, name: str, value: object, text: str, policy: Policy) -> Iterator[Finding]:
    row = profile_row(tag)
    if tag in _PATIENT_TAGS:
        if policy.patient is None or not policy.patient.fullmatch(text):
            yield Finding(name, "not a declared pseudonym")
        return
    if vr == "UI":
        yield from _uid(tag, name, text, policy)
        return
    if row is not None and tag not in policy.retained_text and not _is_retained(row.options, policy):
        yield Finding(name, f"Table E.1-1 {row.basic}: must be empty")
        return
    shape = _NUMERIC_TEXT.get(vr)
    if shape is not None and not all(shape.fullmatch(part.strip("\0 ")) for part in text.split("\\")):
        yield Finding(name, f"not a value of representation {vr}")
        return
    if vr in _DATES and not {"modified_dates", "full_dates"} & policy.options:
        yield Finding(name, "dates are not retained")
        return
    if vr in _TEXT:
        yield from _retained_text(tag, name, text, policy)
    elif vr not in _BINARY and shape is None and isinstance(value, (bytes, str)):
        yield from _opaque(tag, name, value)
    if vr not in _BINARY:
        yield from _scan(name, text)


def _uid(tag: int, name: str, text: str, policy: Policy) -> Iterator[Finding]:
    """Judge a UID by its root, or by the pattern that the site declares for an element that holds none (VinDr's)."""
    if any(_fits(pattern, text, policy) for pattern in policy.retained_text.get(tag, ())):
        return
    for part in text.split("\\"):
        uid = part.strip("\0 ")
        if not uid or uid.startswith(_STANDARD_UIDS) or uid in policy.uids or name in _META_UIDS:
            continue
        if not re.fullmatch(r"[0-9.]{1,64}", uid) or not uid.startswith(policy.uid_roots or ("\0",)):
            yield Finding(name, "UID outside the declared roots")


_META_UIDS = frozenset({"(0002,0012)"})
"""Implementation Class UID: the software that wrote the file."""


def _retained_text(tag: int, name: str, text: str, policy: Policy) -> Iterator[Finding]:
    if tag not in policy.retained_text:
        yield Finding(name, "text is not retained here")
        return
    if not any(_fits(pattern, text, policy) for pattern in policy.retained_text[tag]):
        yield Finding(name, "not a declared value")


def _fits(pattern: re.Pattern[str] | None, text: str, policy: Policy) -> bool:
    if pattern is not None:
        return pattern.fullmatch(text) is not None
    words = re.findall(r"[^\W\d_]+", text.lower())
    return all(word in policy.words for word in words) and not re.search(r"\d{6,}", text)


def _opaque(tag: int, name: str, value: bytes | str) -> Iterator[Finding]:
    """Bytes of no declared shape: group 0028 tables may stand, readable text may not."""
    if tag >> 16 in (0x0028, 0x0002, 0x7FE0) and tag not in (0x00020102,):
        return
    raw = value if isinstance(value, bytes) else value.encode("latin-1", "replace")
    if raw.strip(b"\0"):
        yield Finding(name, "opaque bytes")


def _scan(name: str, text: str) -> Iterator[Finding]:
    for rule, pattern in _IDENTITIES:
        if pattern.search(text):
            yield Finding(name, rule)
