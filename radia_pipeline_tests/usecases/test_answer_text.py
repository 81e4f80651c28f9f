"""The terminal view: the cut stands in the middle of every bar, and every reason has words and something to do."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from radia_pipeline.dicom.doubts import DOUBTS, NO_DOUBT
from radia_pipeline.dicom.facts import AGE_CAPPED, FOR_PROCESSING, SECONDARY
from radia_pipeline.dicom.judgement import SETTLED, UNREAD_CAPTURE
from radia_pipeline.dicom.pixel_checks import FLAGS
from radia_pipeline.privacy.prints import INITIALS
from radia_pipeline.privacy.reasons import REASONS
from radia_pipeline.usecases.answer_text import BAR, bar
from radia_pipeline.usecases.refusals import REFUSALS, meaning, what_to_do

SHARES = st.floats(0, 1, allow_nan=False)


@given(SHARES, SHARES)
def test_the_cut_is_in_the_middle_and_right_of_it_is_called(probability, threshold):
    drawn = bar(probability, threshold)
    assert len(drawn) == BAR + 1
    assert drawn[BAR // 2] == "┃"
    left, right = drawn.split("┃")
    assert (left == "█" * (BAR // 2)) >= (probability >= threshold)
    assert not ("█" in right and probability < threshold)


@given(SHARES, SHARES, SHARES)
def test_a_bar_grows_with_the_probability(one, other, threshold):
    low, high = sorted((one, other))
    assert bar(low, threshold).count("█") <= bar(high, threshold).count("█")


CODES = sorted({*REASONS, *DOUBTS})


def test_every_reason_of_the_judgement_has_words():
    assert set(REFUSALS) == set(REASONS)
    assert not set(REFUSALS) & set(DOUBTS)


def test_every_flag_of_the_judgement_is_a_doubt_or_none():
    flags = {*FLAGS, "low_resolution", INITIALS, SETTLED, UNREAD_CAPTURE, AGE_CAPPED, FOR_PROCESSING, SECONDARY}
    assert flags == {*(flags & set(DOUBTS)), *NO_DOUBT}


@pytest.mark.parametrize("code", CODES)
def test_a_code_says_what_it_means_and_what_to_do(code):
    means, do = meaning(code), what_to_do(code)
    assert means != do
    for words in (means, do):
        assert len(words.split()) >= 2, f"{code} says nothing by {words!r}"
        assert "_" not in words
        assert words[-1] not in ".:;," and words[0] == words[0].lower()


def test_no_two_reasons_mean_the_same():
    meanings = [meaning(code) for code in CODES]
    assert len(set(meanings)) == len(meanings)
