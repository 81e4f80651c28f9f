"""What arrives late in the browser: it neither opens again what is being answered, nor calls anybody back."""

from __future__ import annotations

from contextlib import contextmanager

from radia_pipeline_tests.readings.worlds import with_set
from radia_pipeline_tests.review.page.driving import PATIENCE_MS, seat
from radia_pipeline_tests.review.page.test_reading_page import READER, present_in, readings_of
from radia_pipeline_tests.review.worlds import served, study

REPEATS = "other-00c0ffee"
BEGUN = "button.answer.present[data-class='Pneumothorax']"
SENT = "() => !JSON.parse(sessionStorage.getItem('radia.outbox') ?? '[]').length"


@contextmanager
def held_back(page, pattern: str):
    """Hold back what the page asks of addresses like ``pattern``, and let it go at the end."""
    held: list = []
    is_open = []

    def handle(route) -> None:
        if is_open:
            route.continue_()
        else:
            held.append(route)

    page.route(pattern, handle)
    yield held
    is_open.append(True)
    for route in held:
        route.continue_()
    page.wait_for_load_state("networkidle")


def test_turns_that_arrive_late_leave_an_answer_that_was_begun(browser, lake, monkeypatch):
    monkeypatch.setattr("radia_pipeline.readings.drawing.REPEAT_DISTANCE", 5)
    monkeypatch.setattr("radia_pipeline.readings.drawing.REPEAT_SHARE", 0.3)
    with_set(lake, *map(study, range(23, 33)), set_id=REPEATS)
    with served(lake) as (_, port), seat(browser, port) as one:
        one.open(f"#read/{REPEATS}/reader").turn(1)
        with held_back(one.page, "**/next?*") as asked:
            one.press("Space").turn(2).press("Space").turn(3).press("q")
            assert one.page.is_visible(BEGUN)
            one.page.wait_for_function(SENT)
            assert asked, "what comes next is asked for after each answer"
        assert one.turn(3).page.is_visible(BEGUN)
        one.press("Space").turn(4)
        one.page.wait_for_function(SENT)
        one.sound()
    assert [present_in(one) for one in readings_of(lake)] == [set(), set(), {"Pneumothorax"}]


def test_an_answer_that_was_kept_late_calls_nobody_back(browser, lake):
    with served(lake) as (_, port), seat(browser, port) as one:
        one.open(READER).turn(1)
        with held_back(one.page, "**/page/readings") as sent:
            one.press("Space")
            one.page.click("a.brand")
            one.page.wait_for_selector(".home", timeout=PATIENCE_MS)
            assert len(sent) == 1
        one.page.wait_for_function(SENT)
        one.page.wait_for_load_state("networkidle")
        assert one.page.is_visible(".home")
        one.sound()
    assert len(readings_of(lake)) == 1
