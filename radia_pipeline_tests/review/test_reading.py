"""The reading screen's routes: turns, answers once and whole, undo, reveal, two readers, adjudication, repeats."""

from __future__ import annotations

import threading

import pytest

from radia_pipeline.readings.membership import read_sets
from radia_pipeline.readings.store import Store, lines_of
from radia_pipeline.readings.truth import build_truth
from radia_pipeline_tests.readings.worlds import with_set
from radia_pipeline_tests.review.worlds import ASKED, SET, SOURCE, Client, answered, served, study


def read_all(client, list_id=SET, role="reader", **said) -> int:
    """Answer every turn that waits; returns how many there were."""
    for count in range(1000):
        turns = client.get(f"/page/lists/{list_id}/next?role={role}").json["turns"]
        if not turns:
            return count
        assert client.post("/page/readings", answered(turns[0], **said)).status == 201
    raise AssertionError("a list without an end")


def readings_of(lake):
    return [line.reading for _, line in lines_of(lake) if line is not None and line.kind == "read"]


def test_a_set_is_read_by_two_and_decided_by_a_third(lake):
    with served(lake) as (_, port):
        one, two, three = (Client(port, name) for name in ("reader-a", "reader-b", "reader-c"))
        assert [read_all(one), read_all(two, present=("Mass",))] == [3, 3]
        assert one.get(f"/page/lists/{SET}/done").json["next_step"] == "done"
        told = one.get(f"/page/lists/{SET}/done").json
        assert (told["yours"], told["waiting_for_adjudicator"]) == ({"read": 3, "left": 0, "repeats": 0}, 3)
        assert told["between"]["cells"] == 3 * len(ASKED)
        turn = three.get(f"/page/lists/{SET}/next?role=adjudicator").json["turns"][0]
        assert turn["asked"] == ["Mass"]
        assert sorted(said["Mass"] for said in turn["answers"]) == ["absent", "present"]
        assert b"reader-" not in b"".join(body for _, body in three.heard)
        assert one.get(f"/page/lists/{SET}/next?role=adjudicator").json["turns"] == []
        assert read_all(three, role="adjudicator", present=("Mass",)) == 3
        assert three.get("/page/lists").json["lists"][0]["next_step"] == "complete"
    assert build_truth(lake).cells == {"agreement": 3 * (len(ASKED) - 1), "adjudication": 3}
    first = readings_of(lake)[0]
    assert (first.phase, first.reader, first.shown.visible, set(first.asked)) == ("blind", "reader-a", {}, set(ASKED))
    assert first.opened_at
    assert len(first.shown.images) == len(first.shown.views)


def test_an_answer_counts_once_in_two_tabs_and_with_its_key_again(lake):
    with served(lake) as (_, port):
        client = Client(port, "reader-a")
        turn = client.get(f"/page/lists/{SET}/next").json["turns"][0]
        body = answered(turn)
        first, again = client.post("/page/readings", body), client.post("/page/readings", body)
        assert (first.status, again.status) == (201, 200)
        assert first.json["sequence"] == again.json["sequence"]
        other_tab = client.post("/page/readings", answered(turn))
        assert (other_tab.code, other_tab.json["sequence"]) == ("already_read", first.json["sequence"])
        assert client.post("/page/readings", {**body, "answers": {**body["answers"], "Mass": "present"}}).code == (
            "other_content"
        )
        mended = client.post("/page/readings", answered(turn, present=("Mass",), supersedes=first.json["sequence"]))
        assert mended.status == 201
        undone = client.post("/page/readings/undo", {"sequence": mended.json["sequence"]}).json
        assert undone == {"undone": mended.json["sequence"], "list_id": SET, "position": turn["position"]}
        assert client.get(f"/page/lists/{SET}/next").json["turns"][0]["position"] == turn["position"]
        assert Client(port, "reader-b").post("/page/readings/undo", {"sequence": 2}).status in (403, 404)


def test_many_clicks_at_once_make_one_reading(lake):
    with served(lake) as (_, port):
        client = Client(port, "reader-a")
        body = answered(client.get(f"/page/lists/{SET}/next").json["turns"][0])
        found: list[int] = []
        clicks = [
            threading.Thread(target=lambda: found.append(Client(port, "reader-a").post("/page/readings", body).status))
            for _ in range(8)
        ]
        for click in clicks:
            click.start()
        for click in clicks:
            click.join()
    assert sorted(found) == [200] * 7 + [201]
    assert len(readings_of(lake)) == 1


def test_an_answer_without_every_view_painted_or_every_class_is_none(lake):
    with served(lake) as (_, port):
        client = Client(port, "reader-a")
        turn = client.get(f"/page/lists/{SET}/next").json["turns"][0]
        body = answered(turn)
        unseen = client.post("/page/readings", {**body, "shown": {"images": []}})
        assert (unseen.status, unseen.code) == (422, "not_sound")
        assert client.post("/page/readings", {**body, "answers": {"Mass": "absent"}}).code == "changed"
        assert client.post("/page/readings", {**body, "study_id": study(5)}).code == "changed"
        assert client.post("/page/readings", {**body, "answers": {}, "not_assessable": "quality"}).status == 201
        other = client.get(f"/page/lists/{SET}/next").json["turns"][0]
        for broken in ({"position": "x"}, {"answers": {"Mass": "maybe"}}, {"more": 1}, {"active_s": -1}):
            answer = client.post("/page/readings", {**answered(other), **broken})
            assert (answer.status, answer.code) == (400, "bad_json")
    assert len(readings_of(lake)) == 1


def test_a_reveal_comes_after_the_answer_and_what_follows_is_a_reread(lake):
    with served(lake) as (_, port):
        client = Client(port, "reader-a")
        turn = client.get(f"/page/lists/{SET}/next").json["turns"][0]
        said = client.post("/page/readings", answered(turn)).json
        assert said["can_reveal"]
        assert client.post("/page/readings", answered(turn, is_reread=True)).code == "not_sound"
        assert Client(port, "reader-b").get(f"/page/readings/{said['sequence']}/reveal").code == "not_yours"
        told = client.get(f"/page/readings/{said['sequence']}/reveal").json
        assert told["study"]["report"]["text"]
        assert told["answer"]["studies"][0]["status"] == "answered"
        assert client.post("/page/readings/undo", {"sequence": said["sequence"]}).code == "revealed"
        again = client.post("/page/readings", answered(turn, supersedes=said["sequence"]))
        assert again.code == "revealed"
        reread = client.post("/page/readings", answered(turn, present=("Mass",), is_reread=True))
        assert (reread.status, reread.json["phase"]) == (201, "reread")
    last = readings_of(lake)[-1]
    assert (last.phase, set(last.shown.visible)) == ("reread", {"report", "label", "prediction", "map"})


def test_blindness_outlives_the_server(lake):
    with served(lake) as (_, port):
        client = Client(port, "reader-a")
        turn = client.get(f"/page/lists/{SET}/next").json["turns"][0]
        sequence = client.post("/page/readings", answered(turn)).json["sequence"]
        client.get(f"/page/readings/{sequence}/reveal")
    with served(lake, waits=False) as (_, port):
        client = Client(port, "reader-a")
        assert client.post("/page/readings/undo", {"sequence": sequence}).code == "revealed"


def test_hidden_repeats_look_like_any_other_turn_and_hold_back_reveals(lake, monkeypatch):
    monkeypatch.setattr("radia_pipeline.readings.drawing.REPEAT_DISTANCE", 5)
    monkeypatch.setattr("radia_pipeline.readings.drawing.REPEAT_SHARE", 0.3)
    with_set(lake, *map(study, range(20, 30)), set_id="other-00c0ffee")
    with served(lake, waits=False) as (_, port):
        client, phases = Client(port, "reader-a"), []
        one = next(one for one in client.get("/page/lists").json["lists"] if one["list_id"] == "other-00c0ffee")
        assert (one["turns"], one["reveals"]) == (13, "at_end")
        seen: dict[str, set] = {}
        while turns := client.get("/page/lists/other-00c0ffee/next").json["turns"]:
            seen.setdefault(turns[0]["study_id"], set()).add(frozenset(turns[0]))
            said = client.post("/page/readings", answered(turns[0])).json
            phases.append(said["phase"])
            has_more = said["progress"]["left"] > 0
            assert client.get(f"/page/readings/{said['sequence']}/reveal").status == (409 if has_more else 200)
        assert (len(phases), set(phases)) == (13, {"blind"})
        assert len({shape for shapes in seen.values() for shape in shapes}) == 1
        done = client.get("/page/lists/other-00c0ffee/done").json
        assert done["yours"] == {"read": 13, "left": 0, "repeats": 3}
        assert done["within"]["observed"] == 1
    assert sum(one.phase == "repeat" for one in readings_of(lake)) == 3


def test_who_saw_others_opinions_cannot_read_blind_any_more(lake):
    with served(lake, waits=False) as (_, port):
        for name, present in (("reader-a", ()), ("reader-b", ("Mass",))):
            read_all(Client(port, name), present=present)
        third = Client(port, "reader-c")
        opened = third.get(f"/page/lists/{SET}/next?role=adjudicator&ahead=0").json["turns"][0]["study_id"]
        codes = {}
        for position in range(3):
            turn = third.get(f"/page/lists/{SET}/turns/{position}").json
            codes[turn["study_id"]] = third.post("/page/readings", answered(turn)).json.get("code")
        assert codes == {study: "revealed" if study == opened else None for study in codes}


def test_cells_are_read_in_their_order_and_asked_alone(lake, tmp_path):
    cells = tmp_path / "wishes.csv"
    rows = [(study(7), "Edema"), (study(3), "Mass"), (study(7), "Nodule")]
    cells.write_text("source,study_id,class\n" + "".join(f"{SOURCE},{one},{name}\n" for one, name in rows))
    with served(lake, waits=False, cells=(cells,)) as (_, port):
        client = Client(port, "reader-a")
        one = next(one for one in client.get("/page/lists").json["lists"] if one["kind"] == "cells")
        turns = client.get(f"/page/lists/{one['list_id']}/next").json["turns"]
        assert [(turn["study_id"], turn["asked"]) for turn in turns] == [
            (study(7), ["Edema", "Nodule"]),
            (study(3), ["Mass"]),
        ]
        said = client.post("/page/readings", answered(turns[0], present=("Nodule",))).json
        assert (said["phase"], said["can_reveal"]) == ("queue", True)
        assert client.get(f"/page/studies/{study(3)}").code == "blind"
        assert client.get(f"/page/studies/{study(7)}").status == 200
        assert read_all(client, one["list_id"]) == 1
        assert client.get(f"/page/lists/{one['list_id']}/done").json["next_step"] == "done"
    first = readings_of(lake)[0]
    assert (first.phase, dict(first.answers)) == ("queue", {"Edema": 0, "Nodule": 1})


@pytest.mark.parametrize("text", ["nothing", "source,study_id,class\na,b,Air\n", "source,study_id\na,b\n"])
def test_a_file_that_is_no_list_of_cells_is_refused_before_anything_is_served(lake, tmp_path, text):
    from radia_pipeline.errors import BadInput
    from radia_pipeline.readings.lists import cells_of_file

    path = tmp_path / "cells.csv"
    path.write_text(text)
    with pytest.raises(BadInput):
        cells_of_file(path)


def test_a_forgotten_patient_leaves_both_logs(lake):
    from radia_pipeline.usecases.forget import forget_patients

    with served(lake, waits=False) as (server, port):
        client = Client(port, "reader-a")
        turn = client.get(f"/page/lists/{SET}/next").json["turns"][0]
        client.get(turn["images"][0]["pixels"])
        sequence = client.post("/page/readings", answered(turn)).json["sequence"]
        client.get(f"/page/readings/{sequence}/reveal")
        patient = server.studies.images_of(turn["study_id"])[0]["patient_key"]
        result = forget_patients([patient], lake)
        assert not [place for place in result.still_named_in if "reviews/" in place]
        assert client.get(f"/page/lists/{SET}/next").json["progress"] == {"done": 0, "of": 2, "left": 2}
    assert len(read_sets(lake)[SET]) == 2
    assert Store(lake).head.lines >= 3
