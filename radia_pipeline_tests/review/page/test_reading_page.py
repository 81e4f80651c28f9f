"""Reading in the browser, on the real server: what it costs in keys, what it shows before the answer, what is kept."""

from __future__ import annotations

from radia_pipeline.readings.chain import READ
from radia_pipeline.readings.store import lines_of
from radia_pipeline_tests.review.page.driving import place, seat
from radia_pipeline_tests.review.worlds import ASKED, REPORT, SET, Client, answered, served

READER = f"#read/{SET}/reader"
FRENCH_Q = """() => document.body.dispatchEvent(
  new KeyboardEvent("keydown", { code: "KeyQ", key: "a", bubbles: true, cancelable: true }))"""
"""The place of Q, on which a French keyboard prints A."""


def readings_of(lake) -> list:
    """Return every reading of a lake's store, in order."""
    return [line.reading for _, line in lines_of(lake) if line is not None and line.kind == READ]


def present_in(reading) -> set[str]:
    """Return the classes that a reading calls present."""
    return {name for name, value in reading.answers.items() if value == 1}


def test_keys_that_a_reading_costs(browser, lake):
    with served(lake) as (_, port), seat(browser, port) as one:
        one.open(READER).turn(1)
        one.page.wait_for_timeout(300)  # time is kept to a tenth of a second
        assert one.press("Space").counted() == 1, "a normal study is one key"
        assert one.page.wait_for_selector(".badge.revealed")
        assert one.ready().press("Space").counted() == 1, "to agree with oneself after the reveal is one"
        one.turn(2).press("q", "z", "z", "Space")
        assert one.counted() == 4, "a finding is one, an uncertain one two, and one to accept"
        one.page.wait_for_selector(".badge.revealed")
        one.ready().press("g", "Enter")
        assert one.counted() == 2, "to correct is two"
        one.turn(3)
        one.sound()
    first, second, corrected = readings_of(lake)
    assert set(first.answers.values()) == {0} and set(first.answers) == set(ASKED)
    assert present_in(second) == {"Pneumothorax"} and second.answers["Nodule"] == -1
    assert (first.phase, second.phase, corrected.phase) == ("blind", "blind", "reread")
    assert present_in(corrected) == {"Pneumothorax", "Edema"}
    assert first.active_s > 0 and first.shown.screen == "1280x800" and first.shown.windows and first.shown.zoom > 0


def test_nothing_that_others_say_comes_to_a_blind_reader(browser, lake):
    with served(lake) as (_, port):
        other = Client(port, "reader-b")
        for turn in other.get(f"/page/lists/{SET}/next?ahead=3").json["turns"]:
            said = answered(turn, present=("Hernia",), comment="canaryother")
            assert other.post("/page/readings", said).status == 201
        with seat(browser, port) as one:
            one.open(READER).turn(1)
            one.press("q", "q", "q", "i", "1", "0", "n", "Escape", "?", "Escape", "o")
            one.page.mouse.move(300, 300)
            one.page.mouse.wheel(0, -300)
            one.page.wait_for_timeout(700)
            told = [(url, body) for url, body in one.heard if "/static/" not in url]
            assert len(told) > 6
            canaries = (REPORT.encode(), b"canaryother", b"CANARYMAKER", b'"probability"')
            assert [(url, word) for url, body in told for word in canaries if word in body] == []
            assert not [url for url, _ in one.heard if url.endswith(("/maps", "/answer", "/reveal"))]
            assert not [url for url, _ in one.heard if "/page/studies" in url]
            assert (
                one.page.evaluate("() => [...document.querySelectorAll('.told:not([hidden]), .overlay rect')].length")
                == 0
            )
            one.press("Space")
            assert REPORT in one.says(".told .text"), "after the answer it comes"
            one.sound()


def test_a_key_held_down_decides_once_and_a_second_click_nothing(browser, lake):
    with served(lake) as (_, port), seat(browser, port) as one:
        one.open(READER).turn(1)
        one.page.keyboard.down("q")
        for _ in range(12):
            one.page.keyboard.down("q")  # the system repeats it
        one.page.keyboard.up("q")
        assert one.says('[data-class="Pneumothorax"] .value').endswith("present")
        one.page.evaluate("() => { for (let i = 0; i < 5; i++) document.querySelector('.accept').click(); }")
        one.page.keyboard.down("Space")
        for _ in range(30):
            one.page.keyboard.down("Space")
        one.page.keyboard.up("Space")
        one.page.wait_for_selector(".badge.revealed")
        one.page.wait_for_timeout(300)
        one.sound()
    assert [present_in(reading) for reading in readings_of(lake)] == [{"Pneumothorax"}]


def test_no_answer_before_every_view_was_on_the_screen(browser, lake):
    with served(lake) as (_, port), seat(browser, port) as one:
        held, is_open = [], []
        one.page.route("**/pixels?size=*", lambda route: route.continue_() if is_open else held.append(route))
        one.open(READER)
        one.page.wait_for_selector(".answer")
        one.press("Space", "Enter")
        assert one.page.is_disabled(".accept")
        one.page.wait_for_timeout(200)
        assert readings_of(lake) == []
        is_open.append(True)
        for route in held:
            route.continue_()
        one.ready().press("Space")
        one.page.wait_for_selector(".badge.revealed")
    assert len(readings_of(lake)) == 1


def test_letters_are_places_and_are_off_where_text_is_typed(browser, lake):
    with served(lake) as (_, port), seat(browser, port) as one:
        one.open(READER).turn(1)
        one.page.evaluate(FRENCH_Q)
        assert one.says('[data-class="Pneumothorax"] .value').endswith("present")
        assert one.says('[data-class="Pneumothorax"] kbd') == "A", "the page prints what the keyboard prints"
        one.press("/")
        one.page.keyboard.type("wide aorta")
        one.press("Enter").ready()
        assert one.says('[data-class="Pleural Effusion"] .value').endswith("absent")
        one.press("Space")
        one.page.wait_for_selector(".badge.revealed")
    (reading,) = readings_of(lake)
    assert (reading.comment, present_in(reading)) == ("wide aorta", {"Pneumothorax"})


def test_presses_boxes_and_answers_can_be_taken_back(browser, lake):
    with served(lake) as (_, port), seat(browser, port) as one:
        one.open(READER).turn(1).press("q", "z", "Backspace")
        assert one.says('[data-class="Nodule"] .value').endswith("absent")
        one.press("z", "b")
        for start in ((200, 300), (300, 400)):
            one.page.mouse.move(*start)
            one.page.mouse.down()
            one.page.mouse.move(start[0] + 80, start[1] + 60, steps=3)
            one.page.mouse.up()
            one.press("b")
        one.press("b", "Backspace")
        one.ready().press("Space")
        one.page.wait_for_selector(".badge.revealed")
        one.sound()
    (reading,) = readings_of(lake)
    assert [box.class_name for box in reading.boxes] == ["Nodule"]
    assert reading.boxes[0].width_px > 5 and reading.boxes[0].image_id in reading.shown.images


def test_a_study_that_cannot_be_read_has_a_reason(browser, lake):
    with served(lake) as (_, port), seat(browser, port) as one:
        one.open(READER).turn(1).press("n", "3")
        one.page.wait_for_selector(".badge.revealed")
        assert one.counted() == 2
        one.sound()
    (reading,) = readings_of(lake)
    assert (reading.not_assessable, reading.answers) == ("quality", {})


def test_answers_wait_while_the_server_is_away_and_come_once(browser, lake):
    with served(lake) as (_, port), seat(browser, port) as one:
        one.open(READER).turn(1)
        one.page.wait_for_timeout(1500)  # the next studies' films are fetched
        one.page.context.set_offline(True)
        one.press("q", "Space").turn(2)
        assert "1 waiting" in one.says("#waiting")
        one.press("w", "Space").turn(3)
        one.page.wait_for_function("() => document.querySelector('#waiting').textContent.startsWith('2')")
        one.press("e", "Space")
        assert "3 waiting" in one.says(".state.away")
        assert readings_of(lake) == []
        one.page.context.set_offline(False)
        assert "3" in one.says(".state.done p")
        assert one.page.is_hidden("#waiting")
    assert [present_in(one) for one in readings_of(lake)] == [{"Pneumothorax"}, {"Pleural Effusion"}, {"Pleural Other"}]


def test_an_answer_whose_reply_was_lost_is_sent_again_under_its_key(browser, lake):
    with served(lake) as (_, port), seat(browser, port) as one:
        one.open(READER).turn(1)
        lost = []

        def lose(route):
            if not lost:
                lost.append(route.fetch())  # the server has it, the page never hears of it
                return route.abort()
            return route.continue_()

        one.page.route("**/page/readings", lose)
        one.press("q", "Space")
        one.page.wait_for_function(
            "() => document.querySelector('#waiting').hidden && !document.querySelector('#banner p')"
        )
        one.page.wait_for_timeout(1500)
    assert lost[0].status == 201
    assert [present_in(reading) for reading in readings_of(lake)] == [{"Pneumothorax"}]


def test_a_study_read_in_another_tab_is_said_and_the_next_one_opened(browser, lake):
    with served(lake) as (_, port), place(browser, port) as tab:
        one, two = tab().open(READER).turn(1), tab().open(READER).turn(1)
        one.press("q", "Space")
        one.page.wait_for_selector(".badge.revealed")
        two.press("w", "Space")
        assert "read in another tab" in two.says("#banner .warning")
        two.turn(2)
        two.sound()
    assert [present_in(reading) for reading in readings_of(lake)] == [{"Pneumothorax"}]


def test_two_readers_disagree_and_a_third_decides_without_names(browser, lake):
    with served(lake) as (_, port):
        for user, found in (("reader-a", ()), ("reader-b", ("Mass",))):
            client = Client(port, user)
            for turn in client.get(f"/page/lists/{SET}/next?ahead=3").json["turns"]:
                assert client.post("/page/readings", answered(turn, present=found)).status == 201
        with seat(browser, port, "reader-c") as one:
            one.open()
            one.page.click("text=Adjudicate")
            one.page.wait_for_selector(".opinion")
            opinions = one.page.locator(".opinion").all_inner_texts()
            assert len(opinions) == 2 and {words.split()[-1] for words in opinions} == {"present", "absent"}
            assert one.page.is_disabled(".accept"), "nothing is decided beforehand"
            assert "reader-a" not in one.page.content() and "reader-b" not in one.page.content()
            for number in (1, 2, 3):
                one.page.wait_for_selector(".opinion")
                one.press("x").turn(number).press("Space")
            assert "complete" in one.says(".state.done")
            one.sound()
    decided = [reading for reading in readings_of(lake) if reading.phase == "adjudication"]
    assert [present_in(reading) for reading in decided] == [{"Mass"}] * 3


def test_a_list_is_taken_up_where_it_was_left_and_ends_with_agreement(browser, lake):
    with served(lake) as (_, port):
        with seat(browser, port) as one:
            one.open(READER).turn(1).press("Space")
            one.page.wait_for_selector(".badge.revealed")
        with seat(browser, port, language="fr") as one:
            one.open(READER).turn(2)
            assert one.says("#where").startswith("Étude 2 de 3")
            for _ in (2, 3):
                one.ready().press("Space")
                one.page.wait_for_selector(".badge.revealed")
                one.ready().press("Space")
                one.page.wait_for_timeout(300)
            assert "Vous avez lu 3 sur 3." in one.says(".state.done")
            one.sound()
