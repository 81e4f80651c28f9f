"""Everybody can use the page: axe finds nothing, nothing is cut at any size, colours tell apart, words are complete."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

import numpy as np
import pytest
from axe_playwright_python.sync_playwright import Axe

from radia_pipeline_tests.review.page.browser import STATIC
from radia_pipeline_tests.review.page.driving import seat
from radia_pipeline_tests.review.page.test_reading_page import READER
from radia_pipeline_tests.review.page.test_viewer_page import viewed

SIZES = {"laptop": (1280, 800), "tablet": (1024, 768), "tablet upright": (768, 1024), "large": (2560, 1440)}
LOOKED_AT = "#top *, #banner *, .panel *, .home *, .state *, dialog *"
CUT = """(looked_at) => [...document.querySelectorAll(looked_at)].filter((one) => {
  const box = one.getBoundingClientRect(), look = getComputedStyle(one);
  if (!box.width || look.visibility === "hidden" || one.closest("[hidden], #file")) return false;
  const isCut = ["hidden", "clip"].includes(look.overflowX) && one.scrollWidth > one.clientWidth + 1;
  return isCut || box.right > innerWidth + 1 || box.left < -1;
}).map((one) => `${one.tagName}.${one.className} ${one.textContent.slice(0, 40)}`)"""


def states(one) -> Iterator[str]:
    """Take a reader through the page's states, naming each."""
    one.open().page.wait_for_selector(".case")
    yield "home"
    viewed(one).page.hover("[data-class='Edema']")
    yield "viewer"
    one.press("w")
    yield "wrong"
    one.press("Escape", "?")
    yield "help"
    one.press("Escape", "r")
    yield "regions"
    one.open(READER).ready().press("q", "z", "z")
    yield "reading"
    one.press("n")
    yield "not assessable"
    one.press("Escape")
    one.open("#read/nothing/reader").page.wait_for_selector(".case")
    one.open("#study/" + "0" * 32).page.wait_for_selector(".state.error")
    yield "error"


@pytest.mark.parametrize("language", ["en", "fr"])
def test_axe_finds_nothing_in_any_state(browser, shared, language):
    with seat(browser, shared[1], language=language) as one:
        for name in states(one):
            found = Axe().run(one.page).response["violations"]
            assert [(name, each["id"], each["nodes"][0]["html"][:120]) for each in found] == []
        one.sound()


@pytest.mark.parametrize("size", SIZES)
def test_nothing_is_cut_at_any_size(browser, shared, size):
    has_touch = size.startswith("tablet")
    with seat(browser, shared[1], language="fr", size=SIZES[size], has_touch=has_touch) as one:
        for name in states(one):
            assert (name, one.page.evaluate(CUT, LOOKED_AT)) == (name, [])
            assert one.page.evaluate("() => document.documentElement.scrollWidth <= innerWidth"), name


def test_everything_works_without_a_mouse(browser, shared):
    with seat(browser, shared[1]) as one:
        one.open().page.wait_for_selector(".case")
        for _ in range(40):
            one.press("Tab")
            if one.page.evaluate("() => document.activeElement.className") == "case":
                break
        one.press("Enter")
        one.page.wait_for_selector("[data-class='Edema']", timeout=90_000)
        one.page.wait_for_function("() => /[0-9] %$/.test(document.querySelector('[data-large] .readout').textContent)")
        before = one.says(".pane[data-large] .readout")
        one.press("+", "Shift+ArrowRight")
        one.page.focus(".pane[data-large]")
        one.press("Shift+ArrowRight", "ArrowLeft")
        assert one.says(".pane[data-large] .readout") != before
        one.press("o")
        one.page.wait_for_timeout(100)
        assert one.says(".pane[data-large] .readout") == before


def colours() -> dict[str, np.ndarray]:
    """Return the page's colours by name, sRGB 0…1."""
    found = re.findall(r"--(\w+): #(\w{6})", (STATIC / "style.css").read_text(encoding="utf-8"))
    return {name: np.array([int(code[i : i + 2], 16) for i in (0, 2, 4)]) / 255 for name, code in found}


def linear(colour: np.ndarray) -> np.ndarray:
    """Return sRGB as linear light."""
    return np.where(colour <= 0.04045, colour / 12.92, ((colour + 0.055) / 1.055) ** 2.4)


def contrast(one: np.ndarray, other: np.ndarray) -> float:
    """Return the contrast of two colours (WCAG 2)."""
    light = sorted(float(linear(c) @ [0.2126, 0.7152, 0.0722]) for c in (one, other))
    return (light[1] + 0.05) / (light[0] + 0.05)


def test_text_and_marks_stand_out_from_black():
    found, black = colours(), np.zeros(3)
    assert min(contrast(found[name], black) for name in ("text", "dim")) >= 7
    assert min(contrast(found[name], black) for name in ("present", "uncertain", "absent", "reference")) >= 4.5


DEFICIENCIES = {
    "protanopia": [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]],
    "deuteranopia": [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.01182, 0.04294, 0.968881]],
    "tritanopia": [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.3039]],
}
"""Machado, Oliveira, Fernandes 2009, severity 1, on linear light."""


@pytest.mark.parametrize("name", DEFICIENCIES)
def test_values_are_told_apart_with_a_colour_deficiency_and_by_shape(name):
    found = colours()
    seen = [np.array(DEFICIENCIES[name]) @ linear(found[one]) for one in ("present", "uncertain", "absent")]
    apart = [np.linalg.norm(one - other) for i, one in enumerate(seen) for other in seen[i + 1 :]]
    assert min(apart) > 0.15
    shapes = re.search(r"SHAPES = (\{.*?\})", (STATIC / "bars.js").read_text(encoding="utf-8"))[1]
    assert len(set(re.findall(r'"(.)"', shapes))) == 3


def test_every_word_is_there_in_both_languages_and_used():
    words = (STATIC / "words.js").read_text(encoding="utf-8")
    table = words[words.index("{") : words.index("};")]
    said = re.findall(r'(\w+): \[("(?:[^"\\]|\\.)*"), ("(?:[^"\\]|\\.)*")\]', table)
    assert len(said) > 140 and len(said) == len({key for key, *_ in said})
    for key, *both in said:
        english, french = map(json.loads, both)
        assert english.strip() and french.strip(), key
        assert sorted(re.findall(r"\{\w+\}", english)) == sorted(re.findall(r"\{\w+\}", french)), key
    known = {key for key, *_ in said}
    scripts = "".join(path.read_text(encoding="utf-8") for path in STATIC.glob("*.js") if path.name != "words.js")
    assert set(re.findall(r'\bt\("(\w+)"', scripts)) <= known


def test_what_the_page_sends_is_small_and_comes_from_nowhere_else():
    import gzip

    files = list(STATIC.iterdir())
    assert sum(len(gzip.compress(path.read_bytes())) for path in files) < 60_000
    text = "".join(path.read_text(encoding="utf-8") for path in files)
    assert not re.findall(r"(?:https?:)?//(?!www\.w3\.org)[a-z]+\.[a-z]+", text)
    assert not re.findall(r"innerHTML|insertAdjacentHTML|document\.write|\beval\(|style=\"", text)
