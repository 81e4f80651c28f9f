"""The review queue in the browser: what somebody has read elsewhere leaves a page that is looked at again."""

from __future__ import annotations

from radia_pipeline_tests.review.page.driving import seat
from radia_pipeline_tests.review.page.test_reading_page import present_in, readings_of
from radia_pipeline_tests.review.queues import put_queue
from radia_pipeline_tests.review.test_queue import call_wrong
from radia_pipeline_tests.review.worlds import Client, served, study

LOOK_AGAIN = "() => window.dispatchEvent(new Event('focus'))"


def test_what_was_read_elsewhere_leaves_the_page_but_not_an_answer_that_was_begun(browser, lake):
    put_queue(lake)
    with served(lake) as (_, port), seat(browser, port) as one:
        lists = Client(port, "reader-a").get("/page/lists").json["lists"]
        one.open(f"#read/{next(each['list_id'] for each in lists if each['kind'] == 'cells')}/reader").turn(1)
        call_wrong(port, 7, "Edema")
        call_wrong(port, 7, "Nodule")
        one.page.evaluate(LOOK_AGAIN)
        assert "read elsewhere meanwhile" in one.says("#banner .warning")
        one.turn(2)
        assert one.page.locator(".answer").all_inner_texts()[0].split()[1] == "Mass"
        one.press("x")
        call_wrong(port, 3, "Mass")
        one.page.evaluate(LOOK_AGAIN)
        one.page.wait_for_timeout(500)
        one.ready().press("Space")
        one.page.wait_for_selector(".badge.revealed")
        one.ready().press("Space").turn(3)
        one.sound()
    own = [reading for reading in readings_of(lake) if reading.reader == "reader-a"]
    assert [(reading.study_id, present_in(reading)) for reading in own] == [(study(3), {"Mass"})]
