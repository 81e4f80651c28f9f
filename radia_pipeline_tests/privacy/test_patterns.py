"""The gate's words are data: each list is used, and no word stands in the code."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

from radia_pipeline import privacy
from radia_pipeline.privacy import wording
from radia_pipeline.privacy.patterns import Patterns
from radia_pipeline.privacy.text import KIND_OF_RULE
from radia_pipeline_tests.literals import literals

GATE = Path(privacy.__file__).parent
SAID = yaml.safe_load((GATE / "french.yaml").read_text(encoding="utf-8"))
MODULES = ("patterns.py", "numbers.py", "names.py", "wording.py", "text.py", "letters.py", "disguise.py")
CODE = {name: (GATE / name).read_text(encoding="utf-8") for name in MODULES}
LISTS = {name: words for name, words in SAID.items() if isinstance(words, list)}


def test_every_list_is_used_and_says_nothing_twice():
    by_name = r"""(?:\[|_text_of\(|_names_of\()['"](\w+)['"][\])]"""
    asked = set(re.findall(by_name, CODE["patterns.py"] + CODE["wording.py"]))
    asked |= set(wording._LISTS) | set(wording._PHRASES)
    assert set(SAID) - asked == set()
    assert {name: words for name, words in LISTS.items() if len(words) != len(set(words))} == {}


def test_every_flag_of_a_word_is_a_bit_of_its_own():
    together = ("LISTED", "NAME", "INTRODUCES")
    flags = {name: value for name, value in vars(wording).items() if name.isupper() and type(value) is int}
    single = [value for name, value in flags.items() if name not in together and not name.startswith("_")]
    assert len(single) > 20
    assert [value.bit_count() for value in single] == [1] * len(single)
    assert len(set(single)) == len(single)


def test_the_code_of_the_gate_spells_no_word_of_its_lists():
    listed = {str(word).lower() for words in LISTS.values() for word in words} | set(SAID["ordinary_words"].split())
    ours = set(SAID) | set(KIND_OF_RULE) | set(KIND_OF_RULE.values()) | set(Patterns.__dataclass_fields__)
    said = {text for code in CODE.values() for text in literals(code) if text not in ours}
    spelt = {word for text in said for word in re.findall(r"[^\W\d_]{2,}", text)}
    assert spelt & {word for word in listed if len(word) > 3} - set(SAID) == set()


@pytest.mark.parametrize(
    ("name", "kind"),
    [("tremblay", wording.SURNAME), ("marie", wording.GIVEN), ("claire", wording.DOUBTFUL)],
)
def test_a_known_name_counts_alone_or_beside_another(name, kind):
    assert wording.names()[name] == kind


@pytest.mark.parametrize("word", ["épanchement", "PNEUMOTHORAX", "Atélectasies", "réticulonodulaire", "épanchemnt"])
def test_words_of_the_trade_are_known_also_with_a_slip(word):
    assert not wording.KINDS[word] & wording.NAME


@pytest.mark.parametrize("word", ["Brzostek", "OUATTARABI", "nkemelu", "Castelnuovich-Pimparé"])
def test_words_that_no_lexicon_knows_are_strange(word):
    assert wording.KINDS[word] & wording.STRANGE


def test_what_a_place_a_maker_or_an_eponym_is_called_is_not_strange():
    words = ["Chicoutimi", "Medtronic", "Aeruginosa", "Kerley", "PleurX"]
    assert [word for word in words if wording.KINDS[word] & wording.NAME] == []
