"""The line between the reader and a language: no word on this side, nothing missing on that one."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from radia_pipeline import reports
from radia_pipeline.contracts.vocabulary import vocabulary
from radia_pipeline.errors import BadInput, ContractViolation
from radia_pipeline.reports.engine import Labeler
from radia_pipeline.reports.french import FRENCH
from radia_pipeline.reports.kinds import KINDS, TRAITS
from radia_pipeline.reports.language import FILES, Words
from radia_pipeline.reports.rules import Rulebook, rulebook
from radia_pipeline.reports.words import TOKEN, plain
from radia_pipeline_tests.literals import literals
from radia_pipeline_tests.reports import readings

READER = Path(reports.__file__).parent
CHARACTERS = READER / "repair.py"
"""Tables of characters, which are of no language."""
READER_MODULES = [path for path in READER.rglob("*.py") if path != CHARACTERS and path.parent.name != "french"]
NOUGHTS = {"ø", "Ø"}
"""Signs for nothing, which Python takes for letters."""
ENGLISH = """
absence air an are be but by cannot chest concordance exception exclusion for has impossible in index intact kind
left lie line max may on out patient question reference region resolution rule seen signature signed signs status
the there unchanged upper without zero
"""
"""English words of the code that the rules also hold, as French or as what a radiologist dictates in English."""


def strings(content: object) -> Iterator[str]:
    """Yield every string of a parsed file, keys aside."""
    if isinstance(content, str):
        yield content
    elif isinstance(content, dict | list):
        for part in content.values() if isinstance(content, dict) else content:
            yield from strings(part)


def words_in(text: str) -> set[str]:
    """Return the words of a text or form that are longer than a letter."""
    return {plain(token) for piece in text.split("_") for token in TOKEN.findall(piece) if len(token) > 1}


def french_words() -> set[str]:
    lexicon, cues, sections, words = map(FRENCH.content, FILES)
    forms = [form for rule in lexicon["rules"] + cues["rules"] for form in rule["forms"]]
    listed = [cues["remarks"], sections, {key: said for key, said in words.items() if key != "real_words"}]
    return {word for text in (*forms, *strings(listed)) for word in words_in(text)}


def french_in(source: str, french: set[str]) -> set[str]:
    """Return the French words and the letters beyond ASCII in the literals of a module."""
    found = {
        letter for text in literals(source) for letter in text if letter.isalpha() and not letter.isascii()
    } - NOUGHTS
    return found | {word for text in literals(source) for word in words_in(text) & french if not word.isdigit()}


@pytest.fixture(scope="module")
def french() -> set[str]:
    declared = (*KINDS, *TRAITS, *(field.name for field in dataclasses.fields(Words)), *vocabulary().classes)
    sections = FRENCH.content("sections.yaml")["titles"]
    return french_words() - set(ENGLISH.split()) - {word for name in (*declared, *sections) for word in words_in(name)}


def test_the_reader_spells_no_french_word(french):
    assert len(READER_MODULES) > 20
    found = {path.name: french_in(path.read_text(encoding="utf-8"), french) for path in READER_MODULES}
    assert {name: words for name, words in found.items() if words} == {}


@pytest.mark.parametrize("literal", ['"aucun"', "'autre'", 'f"exclure {x}"', '"no_sans"', 'r"\\bépanchement"', '"œ"'])
def test_a_french_word_in_the_reader_is_seen(literal, french):
    assert french_in(f"def f(x):\n    return {literal}\n", french)


def test_no_english_word_is_allowed_in_vain(french):
    allowed = set(ENGLISH.split())
    found = {word for path in READER_MODULES for word in french_in(path.read_text(encoding="utf-8"), french | allowed)}
    assert found == allowed


def port(folder: Path, changes: dict[str, tuple[str, str]]) -> Rulebook:
    """Compile a copy of the French files, with one pattern replaced in each of the changed files."""
    for name in FILES:
        text = (FRENCH.folder / name).read_text(encoding="utf-8")
        if name in changes:
            text, count = re.subn(changes[name][0], changes[name][1], text, count=1, flags=re.M)
            assert count == 1
        (folder / name).write_text(text, encoding="utf-8")
    return rulebook(dataclasses.replace(FRENCH, folder=folder))


@pytest.mark.parametrize(
    ("name", "old", "new", "said"),
    [
        ("cues.yaml", "kind: hedge_near", "kind: hedge_nigh", "hedge_adjective has a kind unknown"),
        ("lexicon.yaml", r"traits: \[angle\]", "traits: [angel]", "costophrenic has traits unknown"),
        ("lexicon.yaml", "classes: ", "klasses: ", "has keys unknown"),
        ("lexicon.yaml", "id: cardiomegaly$", "id: heart", "heart is defined twice"),
        ("words.yaml", "^  versus: .*$", "", "not those of the reader: versus"),
        ("words.yaml", "^  versus:", "  against: [contre]\n  versus:", "not those of the reader: against"),
    ],
)
def test_files_that_do_not_fit_the_interface_are_refused_by_name(tmp_path, name, old, new, said):
    with pytest.raises(BadInput, match=said):
        port(tmp_path, {name: (old, new)})


def test_another_wording_is_read_without_a_change_of_code(tmp_path):
    book = port(tmp_path, {"words.yaml": (r"  versus: \[versus, vs\]", "  versus: [versus, vs, contra]")})
    text = "Pneumothorax contra artefact de drap."
    assert Labeler(book).book.table["contra"] in book.words.versus
    assert Labeler(book).version != FRENCH.version
    assert Labeler(book).read(text.replace("contra", "vs")) == Labeler.default().read(text.replace("contra", "vs"))


def test_every_kind_and_trait_is_used():
    rules = rulebook(FRENCH).rules.values()
    marks = {"comma", "colon", "open", "close", "semicolon", "dash"}
    assert {rule.kind for rule in rules} == set(KINDS) - marks - {"modifier", "remark"}
    assert {trait for rule in rules for trait in rule.traits} == set(TRAITS)
    asked = "\n".join(path.read_text(encoding="utf-8") for path in READER_MODULES if path.name != "kinds.py")
    assert [trait for trait in TRAITS if f'"{trait}" in ' not in asked and f'"{trait}" not in ' not in asked] == []
    assert [field.name for field in dataclasses.fields(Words) if f"words.{field.name}" not in asked] == []


def test_every_list_that_forms_share_is_used():
    words = FRENCH.content("words.yaml")
    forms = " ".join(form for rule in rulebook(FRENCH).rules.values() for form in rule.forms)
    assert [name for name in words["sets"] if f"${name}" not in forms] == []
    assert [name for name in words["macros"] if name not in forms] == []


@pytest.mark.parametrize("name", FILES)
def test_no_key_is_written_twice_in_a_file(name):
    """YAML keeps the last of two equal keys without a word."""
    node = yaml.compose((FRENCH.folder / name).read_text(encoding="utf-8"))
    stack = [node]
    while stack:
        node = stack.pop()
        if isinstance(node, yaml.MappingNode):
            keys = [key.value for key, _ in node.value]
            assert len(keys) == len(set(keys)), keys
            stack += [value for _, value in node.value]
        elif isinstance(node, yaml.SequenceNode):
            stack += node.value


def test_the_code_does_not_read_otherwise_under_the_same_version(monkeypatch):
    assert readings.readings() == readings.KEPT.read_text("utf-8"), "run `make generated`, read the difference"
    monkeypatch.setattr(readings, "digest", lambda: "0" * 64)
    with pytest.raises(ContractViolation, match="READER_VERSION"):
        readings.readings()
