"""Letters in disguise are read as a reader sees them, and each is found again in the text as it was written."""

from __future__ import annotations

import unicodedata

import pytest

from radia_pipeline.privacy.disguise import undisguised


@pytest.mark.parametrize(("written", "plain"), [
    ("Tremblay", "Tremblay"), ("Tre\u0301mblay", "Tr\u00e9mblay"), ("T\u0301remblay", "Tremblay"),
    ("\u0301Tremblay", "Tremblay"), ("To\u0301\u0302\u0323", "T\u00f3"),  # of marks that make no letter none is left
    ("a\u0327\u0301b", "\u00e1b"),
    ("\u0422remblay", "Tremblay"), ("\uff34\uff32\uff25\uff2d", "TREM"), ("Trem\u200bblay", "Tremblay"),
    ("Trem\u00adblay", "Tremblay"), ("5403\u00a01299", "5403 1299"), ("5403\u20131299", "5403-1299"),
    ("5403\u22121299", "5403-1299"), ("54\u00b23", "5423"),
    ("d&#39;Amour", "d'Amour"), ("&amp;#233;t\u00e9", "\u00e9t\u00e9"), ("&amp;amp;amp;amp;", "&amp;"),
    ("&#84;rem&#x62;lay", "Tremblay"), ("A&B", "A&B"), ("&notanentity;", "\u00acanentity;"), ("&zzz;", "&zzz;"),
    ("Trem-\nblay", "Tremblay"), ("Trem- \n blay", "Tremblay"), ("12-\n34", "12-\n34"),
    ("B0zostek", "B0zostek"), ("Br0zostek", "Brozostek"), ("Brz0stek", "Brzostek"), ("Brzo50", "Brzo50"),
    ("T R E M B", "TREMB"), ("T R E M", "T R E M"), ("a T R E M B c", "aTREMBc"), ("T R E M B'", "T R E M B'"),
])  # fmt: skip
def test_what_is_hidden_is_shown(written, plain):
    assert undisguised(written).text == plain


@pytest.mark.parametrize(
    ("written", "part", "stands"),
    [
        ("Mme Tre\u0301mblay tousse", "Tr\u00e9mblay", "Tre\u0301mblay"),
        ("Mme Trem\u200bblay tousse", "Tremblay", "Trem\u200bblay"),
        ("Mme &#84;remblay tousse", "Tremblay", "&#84;remblay"),
        ("Mme Trembla&#x79; tousse", "Tremblay", "Trembla&#x79;"),
        ("Mme Trem-\nblay tousse", "Tremblay", "Trem-\nblay"),
        ("Mme T R E M B L A Y", "TREMBLAY", "T R E M B L A Y"),
        ("Mme Tremblay, &#233;tudiante", "Tremblay", "Tremblay"),
        ("&#233;tudiante, Mme Tremblay", "Tremblay", "Tremblay"),
        ("\ufb01n, Mme \ufb01lle Tremblay", "Tremblay", "Tremblay"),  # one sign of two letters before it
    ],
)
def test_what_is_found_stands_where_it_was_written(written, part, stands):
    plain = undisguised(written)
    start = plain.text.index(part)
    begins, ends = plain.written(start, start + len(part))
    assert written[begins:ends] == stands


def test_ordinary_text_is_left_alone_and_costs_no_places():
    text = unicodedata.normalize("NFC", "\u00c9panchement pleural gauche, c\u0153ur normal : 14 h 32.")
    assert undisguised(text).text is text
    assert undisguised(text).origin is None
