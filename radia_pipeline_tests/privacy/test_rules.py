"""One value at a time: each rule lets through up to its bound and refuses from there on."""

from __future__ import annotations

import re

import pytest

from radia_pipeline.privacy import rules
from radia_pipeline.privacy.known import folded
from radia_pipeline.privacy.policy import Policy

BARE = Policy()
TAG = 0x00180010


@pytest.mark.parametrize(
    ("uid", "is_sound"),
    [
        ("2.25." + "3" * 24, True),
        ("2.25." + "3" * 23, False),
        ("2.25." + "3" * 39, True),
        ("1.2.826.0.1.7", True),
        ("1.2.826.0.2.7", False),
        ("1.2.840.10008.5.1.4.1.1.1.1", True),
        ("1.2.840.10008.5.1.4.1.1.1.99999", False),  # below the standard's root, and not in it
        ("1.2.840.10008.6.1.1234", True),
        ("1.2.840.10008.6.1.12345", False),
        ("1.2.826.0.1.19540312", False),
        ("1.2.826.0.1.19540312.4", False),
        ("1.2.826.0.1.19541312", True),
        ("1.2.826.0.1.20240312", True),
        ("1.2.826.0.1.7\\2.25." + "3" * 23, False),
        ("", True),
        ("\\1.2.826.0.1.7", True),
    ],
)
def test_uids_come_from_declared_roots_or_are_random(uid, is_sound):
    policy = Policy(uid_roots=("1.2.826.0.1.", "2.25."))
    assert (rules.fault_of_uid(0x0020000D, uid.encode(), policy) is None) == is_sound


def test_without_a_root_no_uid_is_declared_but_the_standards():
    assert rules.fault_of_uid(0x0020000D, b"1.2.826.0.1.7", BARE)
    assert rules.fault_of_uid(0x00080016, b"1.2.840.10008.5.1.4.1.1.1.1", BARE) is None


@pytest.mark.parametrize(
    ("date", "is_sound"),
    [
        (b"20050101", True),
        (b"20041231", False),
        (b"20050101\\20041231", False),
        (b"", True),
        (b"\\20050101", True),
    ],
)
def test_dates_lie_in_the_sites_first_year_or_later(date, is_sound):
    policy = Policy(options=frozenset({"modified_dates"}), first_year=2005)
    assert (rules.fault_of_date(date, policy) is None) == is_sound


@pytest.mark.parametrize(
    ("age", "is_sound"),
    [
        (b"089Y", True),
        (b"090Y", False),
        (b"999M", True),
        (b"999W", True),
        (b"999D", True),
        (b"041Y\\090Y", False),
        (b"", True),
    ],
)
def test_ages_up_to_89_stay(age, is_sound):
    assert (rules.fault_of_age(age, Policy(refuses_old_age=True)) is None) == is_sound
    assert rules.fault_of_age(age, BARE) is None


@pytest.mark.parametrize(
    ("vr", "value", "is_dummy"),
    [
        ("DA", "19000101", True),
        ("DA", "19540312", False),
        ("DT", "19000101000000.00", True),
        ("DT", "19000101101112", False),
        ("TM", "00:00:00.0", True),
        ("TM", "000001", False),
        ("IS", "0", True),
        ("DS", "0.00", True),
        ("DS", "0.01", False),
        ("IS", "10", False),
        ("LO", "ANON^^", True),
        ("CS", "anon", True),
        ("LO", "ANONA", False),
        ("UI", "ANON", False),
    ],
)
def test_what_tools_put_where_something_must_stand(vr, value, is_dummy):
    policy = Policy(dummies=frozenset({folded("ANON")}))
    assert rules.is_dummy(vr, value.encode(), policy) == is_dummy


@pytest.mark.parametrize(
    ("tag", "text", "is_sound"),
    [
        (0x00100010, "P-0042", True),
        (0x00100010, "P-0042^^", True),
        (0x00100020, "P-0042", True),
        (0x00100020, "P-0042^^", False),
        (0x00100010, "P-42", False),
        (0x00100010, "ANON", True),
        (0x00100020, "ANON", False),
        (0x00100020, "P-19540312", False),
        (0x00100020, "P-19541312", True),
        (0x00100020, "P-119540312", True),
    ],
)
def test_pseudonyms_are_of_the_sites_form_and_hold_no_date(tag, text, is_sound):
    policy = Policy(patient=re.compile(r"P-\d{4,}"), dummies=frozenset({folded("ANON")}))
    assert (rules.fault_of_pseudonym(tag, text, policy) is None) == is_sound


def test_without_a_declared_form_nothing_is_a_pseudonym():
    assert rules.fault_of_pseudonym(0x00100010, "P-0042", BARE)


@pytest.mark.parametrize(
    ("tag", "text", "creator", "is_sound"),
    [
        (0x00190010, "ACME", "", True),
        (0x001900FF, "ACME", "", True),
        (0x00190010, "TREMBLAY", "", False),
        (0x0019000F, "ACME", "", False),
        (0x00191010, "ACME", "", False),  # a value, and none declared of no creator
        (0x00191010, "sharp", "ACME", True),
        (0x00191010, "SHARP", "ACME", True),
        (0x00191010, "TREMBLAY", "ACME", False),
        (0x00191010, "sharp", "OTHER", False),
        (0x00191010, "514-555-0134", "ACME", False),
    ],
)
def test_private_elements_are_declared_by_creator_and_value(tag, text, creator, is_sound):
    values = frozenset(map(folded, ("sharp", "514-555-0134")))
    policy = Policy(private_creators=frozenset({"ACME"}), private_values={"ACME": values})
    assert (rules.fault_of_private(tag, text, creator, policy) is None) == is_sound
    if creator != "ACME" and "514" not in text:
        open_ = Policy(deny_private=False)
        assert rules.fault_of_private(tag, text, creator, open_) is None


@pytest.mark.parametrize(
    ("text", "is_sound"),
    [
        ("thorax PA", True),
        ("thorax 2 x 35.43", True),
        ("thorax 1 2 3", False),
        ("thorax 123456", True),
        ("thorax 1234567", False),
        ("thorax Tremblay", False),
        ("", True),
    ],
)
def test_a_description_is_of_listed_words_and_few_short_numbers(text, is_sound):
    policy = Policy(retained_text={TAG: (None,)}, words=frozenset({"thorax", "pa", "x"}))
    assert rules.is_declared(TAG, text.encode(), policy) == is_sound


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ("TREM 5403 1299", "health_insurance_number"),
        ("XTREM 5403 1299", None),
        ("514-555-0134", "phone_number"),
        ("(514) 555-0134", "phone_number"),
        ("555-0134", "phone_number"),
        ("155-0134", None),
        ("1514-555-01341", None),
        ("a.b@c-d.e", "mail_address"),
        ("a.b@c", None),
        ("TREMBLAY^MARIE", "name_with_caret"),
        ("T^M", None),
        ("1954-03-12", "written_date"),
        ("1954-13-12", None),
        ("12/03/1954", "written_date"),
        ("1954.03.12", "written_date"),
        ("2024.03.12", None),  # a release
        ("CHEST PA", None),
    ],
)
def test_forms_that_name_a_person(text, rule):
    assert rules.scan(text) == rule
