"""Every reason, doubt and kind of device has words in both languages, and none stands twice or for nothing."""

from __future__ import annotations

from radia_pipeline.dicom.doubts import DOUBTS
from radia_pipeline.privacy.reasons import REASONS
from radia_pipeline.reports.french import FRENCH
from radia_pipeline.review.reason_words import device_words, french, reason_words


def test_each_reason_and_doubt_is_said_in_french():
    assert set(french()["reasons"]) == REASONS | set(DOUBTS)
    assert all(part.strip() for said in french()["reasons"].values() for part in said)


def test_words_are_sentences_in_both_languages():
    for said in reason_words().values():
        for part in ("means", "do"):
            assert all(words[0].isupper() and words.endswith(".") for words in said[part].values())


def test_each_kind_of_device_that_a_report_may_name_has_a_name():
    kinds = {rule["value"] for rule in FRENCH.content("lexicon.yaml")["rules"] if rule["kind"] == "device"}
    assert set(device_words()) == kinds
