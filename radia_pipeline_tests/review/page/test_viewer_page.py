"""The viewer in the browser, on the real server: bars, maps, reports, what is wrong, films from outside."""

from __future__ import annotations

from radia_pipeline.contracts.vocabulary import vocabulary
from radia_pipeline_tests.review.page.driving import seat
from radia_pipeline_tests.review.page.test_reading_page import readings_of
from radia_pipeline_tests.review.worlds import REPORT, Client, served, study
from radia_pipeline_tests.usecases.films import dicom, film

LATER = 25
"""A study whose patient has an earlier one."""


def viewed(one, number: int = LATER):
    """Open a study and wait until its answer stands beside it."""
    one.open(f"#study/{study(number)}")
    one.page.wait_for_selector("[data-class='Edema'] .chance", timeout=90_000)
    return one


def test_a_study_its_prior_and_what_is_said_of_it(browser, shared):
    with seat(browser, shared[1]) as one:
        viewed(one)
        answer = Client(shared[1], "reader-a").get(f"/page/studies/{study(LATER)}/answer").json["studies"][0]
        rows = one.page.eval_on_selector_all(".findings [data-class]", "rows => rows.map((row) => row.dataset.class)")
        words, told = vocabulary(), {found["class"] for found in (*answer["groups"], *answer["classes"])}
        assert set(rows) - {answer["abnormal"]["class"]} == told and len(rows) == len(told) + 1
        for name in told:
            assert all(rows.index(parent) < rows.index(name) for parent in words.parents(name)[:1])
        of = {found["class"]: found for found in answer["classes"]}
        shown = one.says("[data-class='Mass'] .chance")
        assert abs(float(shown.strip("<> %\u202f\u00a0")) - 100 * of["Mass"]["probability"]) <= 1
        cut, whole = (one.page.locator(f"[data-class='Mass'] {part}").bounding_box() for part in (".cut", ".bar"))
        assert abs(cut["x"] + cut["width"] / 2 - whole["x"] - whole["width"] / 2) < 1.5, "the threshold is the middle"
        assert one.says("[data-class='Mass'] .ref") == "●" and one.says("[data-class='Hernia'] .ref") == "○"
        assert one.says("mark.present") == "masse" and f"{REPORT}{LATER}" in one.says(".told .text")
        assert "which nobody has approved" in one.says(".source") and not one.page.locator(".source .flag").count()
        captions = one.page.locator(".pane .caption").all_inner_texts()
        assert any(words.startswith("Prior") for words in captions)
        one.press("p")
        assert one.page.inner_text(".pane[data-large] .caption").startswith("Prior")
        one.sound()


def test_an_answer_of_a_champion_says_what_it_was_approved_for(browser, shared):
    """Every answer of this server is told to be a champion's, which only its head says."""
    model = {"kind": "champion", "release": "abcdef012345", "standing": "research", "stated_shift": "too sure by half"}

    def told(route) -> None:
        answer = route.fetch().json()
        route.fulfill(json={**answer, "model": {**answer["model"], **model}})

    with seat(browser, shared[1]) as one:
        one.page.route("**/answer", told)
        viewed(one)
        assert one.says(".source .flag") == (
            "Answered by the champion abcdef01, for research only. Stated shift: too sure by half"
        )
        one.sound()


def test_pointing_and_the_keyboard_show_where_the_model_looked(browser, shared):
    with seat(browser, shared[1]) as one:
        viewed(one)
        one.page.wait_for_timeout(1500)
        named = one.page.evaluate(
            "() => [...document.querySelectorAll('[data-class]')].map((row) => row.dataset.class)"
        )
        maps = (
            Client(shared[1], "reader-a")
            .get(
                one.page.evaluate(
                    "async (id) => (await (await fetch(`/page/studies/${id}`)).json()).images[0].maps", study(LATER)
                )
            )
            .json["maps"]
        )
        mapped = next(name for name in named if name in {one["class"] for one in maps})
        assert one.page.is_hidden(".overlay .map")
        one.page.hover(f"[data-class='{mapped}']")
        one.page.wait_for_selector(".overlay .map", state="visible")
        assert one.page.locator(".overlay .half").get_attribute("d").startswith("M")
        assert "where the model looked" in one.says(".detail")
        hues = one.page.evaluate("""() => {
          const map = document.querySelector(".overlay .map"), seen = new Set();
          const { data } = map.getContext("2d").getImageData(0, 0, map.width, map.height);
          for (let i = 0; i < data.length; i += 4) {
            const [red, green, blue, alpha] = data.subarray(i, i + 4);
            if (alpha > 100) seen.add(Math.round(Math.atan2(blue - green, red - green) * 4));
          }
          return seen.size;
        }""")
        assert hues <= 2, "one hue, never a rainbow"
        one.page.mouse.move(300, 400)
        one.page.wait_for_selector(".overlay .map", state="hidden")
        one.press(*["ArrowDown"] * (1 + named.index(mapped)))
        one.page.wait_for_selector(".overlay .map", state="visible")
        one.sound()


def test_regions_only_names_nothing(browser, shared):
    with seat(browser, shared[1]) as one:
        viewed(one).press("r")
        names = [name for name in vocabulary().classes if name not in ("No Finding",)]
        words = one.page.inner_text("#screen")
        assert not [name for name in names if name in words] and REPORT not in words
        one.press("r")
        assert "Mass" in one.page.inner_text("#screen")
        one.sound()


def test_one_key_says_wrong_with_the_reason(browser, lake):
    with served(lake) as (_, port), seat(browser, port) as one:
        viewed(one).page.hover("[data-class='Mass']")
        one.press("w")
        one.page.check("input[value=absent]")
        one.page.check("input[value=label]")
        one.page.fill("textarea", "overlap of the nipple")
        one.page.keyboard.press("Tab")
        one.page.click("dialog .main")
        assert "re-read" in one.says("#banner")
        one.sound()
    (reading,) = readings_of(lake)
    assert (reading.phase, dict(reading.answers)) == ("queue", {"Mass": 0})
    assert "nipple" in reading.comment


def test_a_film_from_outside_is_shown_or_refused_in_words(browser, shared, tmp_path):
    good, page = tmp_path / "film.dcm", tmp_path / "page.dcm"
    good.write_bytes(dicom(film(3, "PA"), 3, view="PA"))
    page.write_bytes(b"<!doctype html><script>alert(1)</script>")
    with seat(browser, shared[1], language="fr") as one:
        one.open().page.wait_for_selector("#file")
        one.page.set_input_files("#file", str(page))
        assert one.says(".state.refused h1").startswith("Refusé") and "Envoyez" in one.says(".state.refused")
        assert one.page.locator(".chance").count() == 0
        one.page.click("text=Accueil")
        one.page.wait_for_selector("#file")
        one.page.set_input_files("#file", str(good))
        one.page.wait_for_selector(".pane canvas, .state.refused", timeout=90_000)
        assert one.page.locator(".finding .chance").count() > 10 or "Refusé" in one.page.inner_text("#screen")
        one.sound()


def test_a_study_on_which_the_models_are_silent_says_why(browser, shared):
    told = {
        "studies": [{"study": 1, "status": "refused", "views": [], "files": [{"file": "x", "reason": "unfamiliar"}]}]
    }
    with seat(browser, shared[1]) as one:
        one.page.route("**/answer", lambda route: route.fulfill(json=told))
        one.open(f"#study/{study(LATER)}")
        assert "usual kind" in one.says(".findings .flag")
        assert one.page.locator(".chance").count() == 0
        one.sound()


def test_a_study_that_waits_to_be_read_blind_is_not_opened(browser, shared):
    with seat(browser, shared[1]) as one:
        one.open(f"#study/{study(20)}")
        assert "read it first" in one.says(".state.error")
        assert "tell whoever runs RadIA this number" in one.says(".state.error")


def test_both_languages_by_the_browser_and_by_the_switch(browser, shared):
    with seat(browser, shared[1], language="fr-CA") as one:
        viewed(one)
        assert one.page.get_attribute("html", "lang") == "fr"
        assert "Épanchement pleural" in one.page.inner_text(".findings")
        one.page.click("text=EN")
        assert one.page.get_attribute("html", "lang") == "en"
        left = one.page.inner_text("body")
        assert "Pleural Effusion" in left
        assert not [word for word in ("Épanchement", "Fenêtre", "glisser", "Noms", "Compte rendu") if word in left]
