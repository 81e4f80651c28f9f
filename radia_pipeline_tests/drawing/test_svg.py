"""Elements, words and finished pictures: valid XML whatever the words, colours of their own or of the page."""

from __future__ import annotations

import base64
import re
from xml.etree import ElementTree

import pytest

from radia_pipeline.drawing import looks, small, svg
from radia_pipeline.drawing.diagram import Box, arrow
from radia_pipeline_tests.drawing.pictures import marks, read, texts

NASTY = "<a href='x'>&\"\x00\x0b é–\ud800]]>"


def test_any_words_are_valid_xml_and_stay_words():
    picture = svg.Picture(90, 30, NASTY, svg.words(1, 10, NASTY) + svg.element("path", svg.tip(NASTY)), NASTY)
    node = read(picture)
    assert node.find("text").text == "<a href='x'>&\" é–]]>"
    assert node.get("aria-label") == node.find("title").text == node.find("desc").text == node.find("text").text


def test_attributes_leave_out_none_and_round_to_what_a_screen_shows():
    assert svg.element("path", class_="a", stroke_width=1.0, rx=None, x=-0.04, y=2.25) == (
        '<path class="a" stroke-width="1" x="0" y="2.2"/>'
    )


def test_a_path_has_gaps_and_no_single_points():
    nan = float("nan")
    assert svg.path([(0, 0), (1, 1), (nan, 1), (2, 2), (3, nan), (4, 4), (5, 5)]) == "M0 0L1 1M4 4L5 5"
    assert svg.path([(1, 1)]) == svg.path([]) == ""


def test_lines_wrap_between_words_and_long_words_stand_alone():
    lines = svg.wrapped("one two three fourandmuchmuchlonger five", 40)
    assert " ".join(lines) == "one two three fourandmuchmuchlonger five"
    assert all(svg.text_px(line) <= 40 or " " not in line for line in lines)
    assert svg.wrapped("", 40) == []


def test_alone_it_is_an_address_with_its_title_its_colours_and_no_tips():
    picture = svg.Picture(150, 30, "Where it ended", svg.element("path", svg.tip("a mark"), class_="mark s0"))
    head, body = picture.address().split(",")
    assert head == "data:image/svg+xml;base64"
    node = ElementTree.fromstring(base64.b64decode(body))
    said = [part.text for part in node.iter("{http://www.w3.org/2000/svg}text")]
    assert said == ["Where it ended"]
    assert looks.LIGHT["s0"] in picture.alone()
    assert "a mark" in picture.inline()
    assert "a mark" not in picture.alone()


def test_a_page_that_has_the_palette_colours_every_role():
    used = set(re.findall(r"var\(--(\w+)\)", looks.PAGE_RULES))
    assert used <= set(looks.LIGHT)
    assert looks.LIGHT.keys() == looks.DARK.keys()
    assert all(f".curve.{role}" in looks.PAGE_RULES for role in looks.ROLES)
    assert all(rule.strip().startswith(".drawing ") for rule in re.findall(r"(?:^|})([^{}]+){", looks.PAGE_RULES))


def luminance(colour: str) -> float:
    """Relative luminance of a colour (WCAG 2)."""
    parts = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return sum(weight * part for weight, part in zip((0.2126, 0.7152, 0.0722), linear))


@pytest.mark.parametrize("palette", [looks.LIGHT, looks.DARK])
def test_words_stand_out_from_the_paper(palette):
    paper = luminance(palette["paper"])
    for name, least in (("ink", 7), ("soft", 4.5), *((role, 2.0) for role in looks.SERIES)):
        light, dark = sorted((luminance(palette[name]), paper), reverse=True)
        assert (light + 0.05) / (dark + 0.05) >= least, name


def test_series_past_the_last_colour_begin_again():
    assert [looks.series_role(place) for place in (0, 5, 6)] == ["s0", "s5", "s0"]


def test_a_whisker_stays_on_its_axis():
    picture = small.whisker(1.7, -3.0, 9.0, start=0.0, stop=1.0, width=100)
    (point,) = marks(picture, "mark")
    assert point.get("transform") == "translate(94 9)"
    (line,) = marks(picture, "range")
    assert line.get("d") == "M6 9L94 9"
    assert small.whisker(None, None, None) is None
    assert marks(small.whisker(0.5, None, None), "range") == []


def test_a_divided_bar_holds_its_parts_in_order_and_leaves_the_rest():
    picture = small.divided_bar([("<a>&", 3, "s1"), ("none", 0, "s2"), ("b", 1, "s0")], total=8, width=80)
    assert [(bar.get("x"), bar.get("width")) for bar in marks(picture, "bar")] == [("0", "30"), ("30", "10")]
    assert picture.title == "<a>& 3, none 0, b 1"
    assert marks(small.divided_bar([]), "bar") == marks(small.divided_bar([("a", 0, "s0")]), "bar") == []


@pytest.mark.parametrize(("value", "start", "length"), [(0.5, 41.0, 20.0), (-0.5, 21.0, 20.0), (-9.0, 1.0, 40.0)])
def test_a_signed_bar_goes_to_its_side_and_ends_at_the_limit(value, start, length):
    (bar,) = marks(small.signed_bar(value, limit=1.0, width=82), "bar")
    assert float(bar.get("x")) == start
    assert float(bar.get("width")) == length


def test_arrows_end_at_the_box_they_lead_to():
    box = Box(0, 0, 100, 30, "a", "s0")
    right, far, below, deep = (Box(x, y, 100, 30, "b", "s0") for x, y in ((150, 90), (400, 90), (0, 46), (0, 200)))
    for end in (right, far, deep):
        assert f'transform="translate({end.x} {end.middle:g}) rotate(0)"' in arrow(box, end)
    assert 'transform="translate(24 46) rotate(90)"' in arrow(box, below)
    assert 'transform="translate(24 30) rotate(-90)"' in arrow(below, box)
    assert texts(svg.Picture(500, 300, "boxes", box.draw() + far.draw()))[1].words == "b"
