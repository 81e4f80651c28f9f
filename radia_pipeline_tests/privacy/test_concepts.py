"""A coded concept is a code of its scheme, check digit and all, and a meaning that says no more than the code does."""

from __future__ import annotations

import pytest
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence

from radia_pipeline.privacy import concepts
from radia_pipeline.privacy.walk import Element
from radia_pipeline_tests.privacy.test_header import clean, findings


def coded(code: str, scheme: str, meaning: str = "", version: str = "", tag: int = concepts.VALUE) -> tuple:
    said = {tag: code, concepts.SCHEME: scheme, concepts.SCHEME_VERSION: version, concepts.MEANING: meaning}
    return tuple(Element(one, "SH", text.encode(), 0, 8) for one, text in said.items() if text)


@pytest.mark.parametrize(
    ("code", "scheme", "is_sound"),
    [
        ("36118008", "SCT", True),
        ("36118009", "SCT", False),
        ("63118008", "SCT", False),  # digit changed, places changed
        ("60046008", "SCT", True),
        ("816094009", "SCT", True),
        ("36118a08", "SCT", False),
        ("11528-7", "LN", True),
        ("11528-8", "LN", False),
        ("36643-5", "LN", True),
        ("36634-5", "LN", False),
        ("121106", "DCM", True),
        ("5145550134", "DCM", False),
        ("TREMBLAY", "SCT", False),
    ],
)
def test_a_code_is_of_its_scheme_to_the_check_digit(code, scheme, is_sound):
    for tag in (concepts.VALUE, concepts.LONG_VALUE):
        assert (concepts.faults(coded(code, scheme, tag=tag), frozenset()) == {}) == is_sound


@pytest.mark.parametrize(
    ("meaning", "is_sound"),
    [
        ("Pneumothorax", True),
        ("pneumothorax", True),
        ("Pneumothorax TREMBLAY", False),
        ("Pneumothorax 1954", False),
        ("Pneumothorax zzz", True),
        ("", True),
    ],
)
def test_a_meaning_says_no_more_than_its_code(meaning, is_sound):
    found = concepts.faults(coded("36118008", "SCT", meaning), frozenset({"zzz", "pneumothorax"}))
    assert (found == {}) == is_sound
    assert is_sound or set(found) == {concepts.MEANING}


@pytest.mark.parametrize(
    ("version", "is_sound"),
    [
        ("20210731", True),
        ("19540312", False),
        ("1.2", True),
        ("2020-01", True),
        ("SMI", True),
        ("V3", True),
        ("TREMBLAY", False),
        ("12345", False),
        ("19901231", True),
        ("18991231", False),
        ("20211331", True),
    ],
)
def test_a_version_is_a_release_or_a_date_since_there_are_such_schemes(version, is_sound):
    assert (concepts.faults(coded("36118008", "SCT", version=version), frozenset()) == {}) == is_sound


def test_of_a_scheme_that_nobody_knows_nothing_passes():
    found = concepts.faults(coded("36118008", "TREMBLAY", "Pneumothorax"), frozenset())
    assert set(found) == {concepts.VALUE, concepts.SCHEME, concepts.MEANING}


def test_a_concept_has_a_code_and_a_scheme():
    whole = coded("36118008", "SCT", "Pneumothorax")
    assert concepts.is_concept(whole)
    assert not concepts.is_concept(whole[1:])
    assert not concepts.is_concept((whole[0], whole[2]))


def test_a_concept_stands_in_an_item_and_a_part_of_one_is_none():
    said = Dataset()
    said.CodeValue, said.CodingSchemeDesignator, said.CodeMeaning = "36118008", "SCT", "Pneumothorax"
    nested = clean()
    nested.ViewCodeSequence = Sequence([said])
    assert findings(nested) == []
    outermost = clean()
    outermost.update(said)
    assert findings(outermost), "beside a patient's elements no code is expected"
    part = Dataset()
    part.CodeMeaning = "Pneumothorax"
    nested.ViewCodeSequence = Sequence([part])
    assert findings(nested)
