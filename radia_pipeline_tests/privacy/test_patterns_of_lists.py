"""No shipped pattern of the gate has room for a name: letters stand in it one by one, or beside digits."""

from __future__ import annotations

import re
from collections.abc import Iterator
from re import _parser
from typing import Any

import pytest
import yaml

from radia_pipeline.contracts.location import contracts_root
from radia_pipeline.privacy.known import KNOWN

FREE_LETTERS = 15
"""A class of characters that holds more letters than this can spell a name; hexadecimal digits cannot."""
SHORTEST_NAME = 3
NEEDS_A_DIGIT = {"schemes/IBSI"}
"""Four characters of which one is a digit."""
FILES = (
    KNOWN,
    *sorted((contracts_root() / "deid_profiles").glob("*.yaml")),
    *sorted((contracts_root() / "sources").glob("*_deid.yaml")),
)


def texts(content: Any, place: str = "") -> Iterator[tuple[str, str]]:
    if isinstance(content, dict):
        for key, value in content.items():
            yield from texts(value, f"{place}/{key}" if place else str(key))
    elif isinstance(content, list):
        for value in content:
            yield from texts(value, place)
    elif isinstance(content, str):
        yield place, content


def letters_of(characters: list) -> int:
    """Count the letters that a class of characters admits; all of them where it is named or negated."""
    counts = {
        "RANGE": lambda value: sum(chr(code).isalpha() for code in range(value[0], min(value[1], 0x17F) + 1)),
        "LITERAL": lambda value: int(chr(value).isalpha()),
        "CATEGORY": lambda value: 0 if "DIGIT" in str(value) or "SPACE" in str(value) else 52,
        "NEGATE": lambda _value: 52,
    }
    return sum(counts[str(kind)](value) for kind, value in characters)


def room_for_letters(tree: Any) -> int:
    """Return how many free letters in a row a parsed pattern admits."""
    most = 0
    for kind, value in tree:
        name = str(kind)
        if name.endswith("REPEAT"):
            _, times, inner = value
            is_free = any(str(k) == "ANY" or (str(k) == "IN" and letters_of(v) > FREE_LETTERS) for k, v in inner)
            most = max(most, int(times) if is_free else 0, room_for_letters(inner))
        elif name == "SUBPATTERN":
            most = max(most, room_for_letters(value[-1]))
        elif name == "BRANCH":
            most = max(most, *map(room_for_letters, value[1]))
    return most


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_no_pattern_has_room_for_a_name(path):
    found = {}
    for place, text in texts(yaml.safe_load(path.read_text(encoding="utf-8"))):
        try:
            tree = _parser.parse(text)
        except re.error:
            continue  # a value and no pattern
        if place not in NEEDS_A_DIGIT and room_for_letters(tree) >= SHORTEST_NAME:
            found[place] = text
    assert found == {}


@pytest.mark.parametrize("pattern", ["NAME [A-Z]{3}", r"a(?:b|\w+)", "x(?:[ A-Za-z]{0,24})?", "[^0-9]{1,9}", "a.{4}"])
def test_room_is_seen(pattern):
    assert room_for_letters(_parser.parse(pattern)) >= SHORTEST_NAME


@pytest.mark.parametrize("pattern", ["Made [0-9.]{1,9}", "[A-F0-9]{3,6}", r"(?:Retain|Clean)\s{1,9}Option", "[A-Z]?"])
def test_digits_and_words_are_no_room(pattern):
    assert room_for_letters(_parser.parse(pattern)) < SHORTEST_NAME
