"""What is revealed when, in the browser: nothing of a set with hidden repeats before its end, and words as words."""

from __future__ import annotations

import hashlib

from radia_pipeline_tests.readings.worlds import with_set
from radia_pipeline_tests.review.page.driving import seat
from radia_pipeline_tests.review.page.test_reading_page import READER, present_in, readings_of
from radia_pipeline_tests.review.page.test_viewer_page import viewed
from radia_pipeline_tests.review.worlds import REPORT, SOURCE, served, study

REPEATS, TURNS = "other-00c0ffee", 13
EVIL = "<script>document.title='owned'</script><img src=x onerror=\"document.title='owned'\"><b>masse</b> &amp; «fin»"


def test_a_hidden_repeat_looks_like_any_turn_and_nothing_is_revealed_before_neither_comes_again(
    browser, lake, monkeypatch
):
    monkeypatch.setattr("radia_pipeline.readings.drawing.REPEAT_DISTANCE", 5)
    monkeypatch.setattr("radia_pipeline.readings.drawing.REPEAT_SHARE", 0.3)
    with_set(lake, *map(study, range(23, 33)), set_id=REPEATS)
    with served(lake) as (_, port), seat(browser, port) as one:
        one.open(f"#read/{REPEATS}/reader")
        looks = []
        for number in range(1, TURNS + 1):
            one.turn(number)
            looks.append(one.page.evaluate(LOOK))
            one.press("q", "Space") if number % 2 else one.press("Space")
        assert "You have read 13 of 13." in one.says(".state.done")
        assert len(set(looks)) == 1, "a turn that comes again looks like the others"
        told = [(url, body) for url, body in one.heard if "/static/" not in url]
        assert [url for url, body in told if REPORT.encode() in body or b'"probability"' in body] == []
        assert not [url for url, _ in told if url.endswith(("/reveal", "/answer", "/maps"))]
        one.page.click("text=See reports and predictions")
        for number in range(1, 11):
            one.turn(number)
            assert one.page.is_visible(".badge.revealed") and REPORT in one.says(".told .text")
            one.press("e", "Space") if number == 1 else one.press("Space")
        assert "13 of 13" in one.says(".state.done")
        one.sound()
    given = readings_of(lake)
    assert [sum(one.phase == phase for one in given) for phase in ("blind", "repeat", "reread")] == [10, 3, 1]
    assert "Pleural Other" in present_in(given[-1])


LOOK = """() => [...document.querySelectorAll("#where *, .panel *, #keys *")].map((one) =>
  `${one.tagName}.${one.className}${one.disabled ?? ""}`).join() + document.querySelector(".panel").innerText"""
"""All that a turn's frame is made of, and what its panel says."""


def test_markup_in_a_report_is_shown_as_text(browser, lake):
    text = f"{REPORT}: {EVIL}"
    rows = lake.read("reports", SOURCE).to_pylist()
    lake.write(
        "reports",
        [{**row, "report_text": text, "text_sha256": hashlib.sha256(text.encode()).hexdigest()} for row in rows],
        SOURCE,
    )
    mentions = lake.read("report_mentions", SOURCE).to_pylist()
    span = {"span_start": text.index("masse"), "span_end": text.index("masse") + 5, "sentence": text}
    lake.write("report_mentions", [{**row, **span} for row in mentions], SOURCE)
    with served(lake) as (_, port), seat(browser, port) as one:
        viewed(one)
        assert one.says(".told .text") == text and one.says("mark.present") == "masse"
        shown_whole(one)
        one.open(READER).turn(1).press("Space")
        assert one.says(".told .text") == text
        shown_whole(one)


def shown_whole(one) -> None:
    """Fail where anything of the report became an element, or ran."""
    assert one.page.locator(".told script, .told img, .told b").count() == 0
    assert one.page.title() == "RadIA"
    one.sound()
