"""The gate's words are data: each list is used, and no word stands in the code."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

from radia_pipeline import privacy
from radia_pipeline.privacy.patterns import patterns
from radia_pipeline_tests.literals import literals

GATE = Path(privacy.__file__).parent
SAID = yaml.safe_load((GATE / "french.yaml").read_text(encoding="utf-8"))
CODE = {name: (GATE / name).read_text(encoding="utf-8") for name in ("patterns.py", "text.py", "letters.py")}
LISTS = {name: words for name, words in SAID.items() if isinstance(words, list)}


def test_every_list_is_used_and_says_nothing_twice():
    asked = set(re.findall(r"""\[['"](\w+)['"]\]""", CODE["patterns.py"]))
    assert set(SAID) - asked == set()
    assert {name: words for name, words in LISTS.items() if len(words) != len(set(words))} == {}


def test_the_code_of_the_gate_spells_no_word_of_its_lists():
    listed = {str(word).lower() for words in LISTS.values() for word in words} | set(SAID["ordinary_words"].split())
    spelt = {word for code in CODE.values() for text in literals(code) for word in re.findall(r"[^\W\d_]{2,}", text)}
    assert spelt & {word for word in listed if len(word) > 2} - set(SAID) == set()


@pytest.mark.parametrize(
    ("name", "kind"),
    [("tremblay", "alone"), ("marie", "alone"), ("claire", "with_another")],
)
def test_a_known_name_counts_alone_or_beside_another(name, kind):
    assert patterns().names[name] == kind
