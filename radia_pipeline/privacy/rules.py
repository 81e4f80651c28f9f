"""The rules of the gate for one value: may an attribute hold it, by the standard's lists and the site's?

Belongs here: one function a rule; each returns why a value identifies, None where it does not, and never the value.
Does not belong here: which rule an element falls under (``header``), forms of representations (``values``).
"""

from __future__ import annotations

import re

from pydicom.uid import UID_dictionary

from radia_pipeline.privacy import values
from radia_pipeline.privacy.known import folded, known
from radia_pipeline.privacy.policy import Policy
from radia_pipeline.privacy.values import characters, parts

NAME, PATIENT, SUBJECTS = 0x00100010, 0x00100020, frozenset({0x00120040, 0x00120042})
_MOST_NUMBERS, _LONGEST_NUMBER = 2, 6
"""In a description of listed words: sizes, ratios and counts, no telephone and no date."""
_STANDARD_UIDS = "1.2.840.10008."
_METHOD, _IMAGE_TYPE = 0x00120063, 0x00080008
_IMPLEMENTATION, _VERSION_NAME, _TITLES = 0x00020012, 0x00020013, frozenset({0x00020016, 0x00020017, 0x00020018})
_IN_A_YEAR = {"D": 365.25, "W": 52.18, "M": 12, "Y": 1}
_OLD_AGE_YEARS = 89
_DATE_ALONE = re.compile(r"(?<!\d)(19|20)\d\d(0[1-9]|1[0-2])(0[1-9]|[12]\d|3[01])(?!\d)")
_BIRTH_IN_UID = re.compile(r"\.19[0-8]\d(0[1-9]|1[0-2])(0[1-9]|[12]\d|3[01])(?=\.|$)")
_RANDOM, _LEAST_RANDOM_DIGITS = "2.25.", 24
"""A UID of 128 random bits (PS3.5 B.2) with fewer digits occurs once in 10^14; a telephone has ten."""
_MAKERS_OWN = re.compile(r"(?:\.\d{1,5}){0,8}")
_PARTED_TELEPHONE = re.compile(r"(?<!\d)\d{3}\.\d{3}\.\d{4}(?!\d)")
_CONTEXT_UIDS = re.compile(r"1\.2\.840\.10008\.6\.1\.\d{1,4}")
"""Context groups of PS3.16 grow with each edition."""
_IDENTITIES = (
    ("health_insurance_number", re.compile(r"(?<![A-Z])[A-Z]{4}[ -]?\d{4}[ -]?\d{4}(?!\d)", re.IGNORECASE)),
    (
        "phone_number",
        re.compile(
            r"(?<![\d.])\(?\d{3}\)?[ ._/,-]\d{3}[ ._/,-]\d{4}(?![\d.])|(?<![\d.-])[2-9]\d{2}[ -]\d{4}(?![\d.-])"
        ),
    ),
    ("mail_address", re.compile(r"[\w.+-]@[\w-]+\.\w")),
    ("name_with_caret", re.compile(r"[^\W\d]{2}\^[^\W\d]{2}")),
    (
        "written_date",
        re.compile(
            r"(?<!\d)(19|20)\d\d[-/](0[1-9]|1[0-2])[-/]([0-2]\d|3[01])(?!\d)"
            r"|(?<![\d.])19[0-8]\d[._](0[1-9]|1[0-2])[._]([0-2]\d|3[01])(?![\d.])"
            r"|(?<![\d.])([0-2]\d|3[01])[-/._](0[1-9]|1[0-2])[-/._](19|20)\d\d(?![\d.])"
        ),
    ),
)


def fault_of_private(tag: int, text: str, creator: str, policy: Policy) -> str | None:
    """``creator``: of the element's block (PS3.5 7.8.1), empty where none stands in its item."""
    if 0x10 <= tag & 0xFFFF <= 0xFF and text in policy.private_creators:
        return None
    if tag & 0xFFFF > 0xFF and folded(text) in policy.private_values.get(creator, ()):
        return scan(text)
    return "private value" if policy.deny_private else scan(text)


def fault_of_pseudonym(tag: int, text: str, policy: Policy) -> str | None:
    """Names may be padded with empty components (PS3.5 6.2.1); a name may be a dummy, an identifier may not."""
    plain = text.rstrip("^ ") if tag == NAME else text
    if policy.patient is not None and policy.patient.fullmatch(plain):
        return "a date in a pseudonym" if _DATE_ALONE.search(plain) else None
    if tag != PATIENT and folded(plain.strip("^")) in policy.dummies:
        return None
    return "not a declared pseudonym"


def meta(tag: int, value: bytes, policy: Policy) -> tuple[str, str | None] | None:
    """Judge what only the file meta information has; None where the usual rules apply."""
    text = characters(value)
    if is_declared(tag, value, policy):
        return "declared value", scan(text)
    if tag == 0x00020001:
        return "version of the meta information", None if value == b"\0\1" else "opaque bytes"
    if tag == _IMPLEMENTATION:
        sound = values.fault_of_shape(tag, "UI", value) is None and _names_software(text, policy)
        return "software", None if sound or text in policy.uids else "UID outside the declared roots"
    if tag == _VERSION_NAME:
        return "software", None if known().software.fullmatch(text) else "not a declared value"
    if tag in _TITLES:
        return "application entity", None if folded(text) in known().titles else "not a declared value"
    return None


def _names_software(uid: str, policy: Policy) -> bool:
    """Tell whether a UID lies below a maker's root by short numbers: releases, which are no telephone."""
    for root in (*known().implementation_roots, *policy.uid_roots):
        rest = uid[len(root) - 1 :]
        if uid.startswith(root) and _MAKERS_OWN.fullmatch(rest) and not _PARTED_TELEPHONE.search(rest):
            return True
    return False


def is_dummy(vr: str, value: bytes, policy: Policy) -> bool:
    """Tell whether a value is what tools put where the profile asks for something that is not empty (D, Z/D)."""
    text = characters(value)
    if vr in ("DA", "DT"):
        return text[:8] in known().dummy_dates and not text[8:].strip("0.")
    if vr == "TM":
        return not text.strip("0.:")
    if vr in ("IS", "DS"):
        return not text.strip("0.")
    return vr in (*values.TEXT, "CS") and folded(text.strip("^")) in policy.dummies


def fault_of_uid(tag: int, value: bytes, policy: Policy) -> str | None:
    """Judge UIDs by their root; those of the standard are listed (PS3.6 A)."""
    if is_declared(tag, value, policy):
        return None
    for uid in parts(value):
        if not uid or uid in policy.uids or (uid.startswith(_STANDARD_UIDS) and uid in UID_dictionary):
            continue
        if _CONTEXT_UIDS.fullmatch(uid) or policy.uid_forms.fullmatch(uid):
            continue
        if values.fault_of_shape(0, "UI", uid.encode("latin-1")) or not uid.startswith(policy.uid_roots or ("\0",)):
            return "UID outside the declared roots"
        if uid.startswith(_RANDOM) and len(uid) < len(_RANDOM) + _LEAST_RANDOM_DIGITS:
            return "a random UID that is too short"
        if _BIRTH_IN_UID.search(uid):
            return "a date of birth in a UID"
    return None


def fault_of_date(value: bytes, policy: Policy) -> str | None:
    """Dates stay where the site retains them, from its first year on: before it lie births and no radiographs."""
    if not {"modified_dates", "full_dates"} & policy.options:
        return "dates are not retained"
    too_early = any(int(date[:4]) < policy.first_year for date in parts(value) if date)
    return "a date before the site's first year" if too_early else None


def fault_of_age(value: bytes, policy: Policy) -> str | None:
    years = max((int(age[:-1]) / _IN_A_YEAR[age[-1]] for age in parts(value) if age), default=0.0)
    return "ages above 89 are refused" if years >= _OLD_AGE_YEARS + 1 and policy.refuses_old_age else None


def fault_of_term(tag: int, value: bytes, policy: Policy) -> str | None:
    if is_declared(tag, value, policy):
        return None
    terms, form = known().terms.get(tag), known().forms.get(tag)
    if terms is None and form is None:
        return "not a declared value"
    found, counters = parts(value), 0
    for part in found:
        counters += tag == _IMAGE_TYPE and re.fullmatch(r"\d{1,6}", part) is not None
        is_counter = counters == 1 and part.isdecimal()
        if part and folded(part) not in (terms or ()) and not is_counter and not (form and form.fullmatch(part)):
            return "not a defined term of its attribute"
    return None


def fault_of_text(tag: int, value: bytes, policy: Policy) -> str | None:
    text = characters(value)
    if tag == _METHOD:
        return None if _is_method(text, policy) else "not a declared value"
    if is_declared(tag, value, policy) or _is_known(tag, value):
        return scan(text)
    if tag in policy.retained_text or tag in known().values or tag in known().forms or tag in policy.declared:
        return "not a declared value"
    return "text is not retained here"


def _is_method(text: str, policy: Policy) -> bool:
    """Every part of (0012,0063) is a name of the profile or of an option, or what a tool says of itself."""
    if any(pattern.fullmatch(text) for pattern in policy.methods) or known().methods.fullmatch(text):
        return True
    said = [part.strip() for part in re.split(r"[;\\\n]|, (?=[A-Z])", text)]
    listed = (policy.method,) if policy.method else ()
    return all(not part or part in listed or known().methods.fullmatch(part) for part in said)


def is_of_form(tag: int, value: bytes) -> bool:
    """Tell whether all values of an element are of the form that its attribute has."""
    return all(not part or known().forms[tag].fullmatch(part) for part in parts(value))


def _is_known(tag: int, value: bytes) -> bool:
    """Tell whether all values of an element stand in the shipped lists, or are numbers of a shipped form."""
    listed = known().values.get(tag, frozenset()) | known().terms.get(tag, frozenset())
    form = known().forms.get(tag)
    return all(
        not part or folded(part) in listed or (form is not None and form.fullmatch(part)) for part in parts(value)
    ) and bool(listed or form)


def is_declared(tag: int, value: bytes, policy: Policy) -> bool:
    """Tell whether the site declares the value: in a list, by a pattern for the whole, or by words."""
    declared = policy.declared.get(tag)
    if declared is not None and all(not part or folded(part) in declared for part in parts(value)):
        return True
    return any(_fits(pattern, characters(value), policy) for pattern in policy.retained_text.get(tag, ()))


def _fits(pattern: re.Pattern[str] | None, text: str, policy: Policy) -> bool:
    if pattern is not None:
        return pattern.fullmatch(text) is not None
    words, numbers = re.findall(r"[^\W\d_]+", text.lower()), re.findall(r"\d+(?:\.\d+)?", text)
    is_short = len(numbers) <= _MOST_NUMBERS and all(len(number) <= _LONGEST_NUMBER for number in numbers)
    return all(word in policy.words for word in words) and is_short


def scan(text: str) -> str | None:
    return next((rule for rule, pattern in _IDENTITIES if pattern.search(text)), None)
