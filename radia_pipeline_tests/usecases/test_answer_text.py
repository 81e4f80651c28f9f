"""The terminal view: the cut stands in the middle of every bar, and every reason has words and something to do."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from radia_pipeline.dicom.doubts import DOUBTS
from radia_pipeline.privacy.reasons import REASONS
from radia_pipeline.usecases.answer_text import BAR, bar
from radia_pipeline.usecases.refusals import WHAT_TO_DO, meaning, what_to_do

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


def test_every_reason_of_the_judgement_says_what_to_do():
    assert set(WHAT_TO_DO) == set(REASONS)


@pytest.mark.parametrize("reason", sorted({*REASONS, *DOUBTS}))
def test_words_for_people_are_sentences(reason):
    assert meaning(reason)
    assert what_to_do(reason)
