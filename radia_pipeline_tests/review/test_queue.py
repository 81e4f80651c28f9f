"""The review queue on the page: a cell that anybody has read anywhere is asked no more, and no answer is lost."""

from __future__ import annotations

import secrets

import pytest

from radia_pipeline.readings.queue_list import waiting
from radia_pipeline_tests.review.queues import put_queue
from radia_pipeline_tests.review.test_reading import readings_of
from radia_pipeline_tests.review.worlds import SOURCE, Client, answered, served, study


@pytest.fixture
def queue(lake):
    """Return (lake, port, the list's id)."""
    put_queue(lake)
    with served(lake, waits=False) as (_, port):
        lists = Client(port, "reader-a").get("/page/lists").json["lists"]
        yield lake, port, next(one["list_id"] for one in lists if one["kind"] == "cells")


def asked(port, list_id, user="reader-a"):
    """Return what waits for a reader: (study, classes) in order."""
    turns = Client(port, user).get(f"/page/lists/{list_id}/next").json["turns"]
    return [(turn["study_id"], turn["asked"]) for turn in turns]


def call_wrong(port, number, name, user="reader-b"):
    body = {"request_key": secrets.token_hex(16), "class": name, "answer": "absent", "about": "label"}
    answer = Client(port, user).post(f"/page/studies/{study(number)}/wrong", body)
    assert answer.status == 201
    return answer.json["sequence"]


def test_cells_come_worst_first_and_leave_once_they_were_read_anywhere(queue):
    lake, port, list_id = queue
    whole = [(study(7), ["Edema", "Nodule"]), (study(3), ["Mass"]), (study(9), ["Edema"])]
    assert asked(port, list_id) == whole
    sequence = call_wrong(port, 7, "Edema")
    call_wrong(port, 3, "Mass")
    assert asked(port, list_id) == [(study(7), ["Nodule"]), (study(9), ["Edema"])]
    assert (
        len(
            waiting(
                lake,
            )
        )
        == 2
    ), "the command says the same"
    (told,) = [one for one in Client(port, "reader-a").get("/page/lists").json["lists"] if one["list_id"] == list_id]
    assert (told["left"], told["turns"]) == (2, 3), "the list keeps its id and its turns"
    Client(port, "reader-b").post("/page/readings/undo", {"sequence": sequence})
    assert asked(port, list_id)[0] == (study(7), ["Edema", "Nodule"]), "what was taken back is asked again"


def test_an_answer_that_waited_in_a_page_is_kept_whole_under_the_same_list(queue):
    lake, port, list_id = queue
    client = Client(port, "reader-a")
    turns = client.get(f"/page/lists/{list_id}/next").json["turns"]
    call_wrong(port, 7, "Edema")
    call_wrong(port, 3, "Mass")
    late = answered(turns[0], present=("Edema",))
    assert [client.post("/page/readings", late).status for _ in range(2)] == [201, 200]
    assert client.post("/page/readings", answered(turns[1])).status == 201
    assert asked(port, list_id) == asked(port, list_id, "reader-c") == [(study(9), ["Edema"])]
    own = [reading for reading in readings_of(lake) if reading.reader == "reader-a"]
    assert [dict(reading.answers) for reading in own] == [{"Edema": 1, "Nodule": 0}, {"Mass": 0}]


def test_a_second_tab_does_not_answer_the_same_cell_twice_but_the_rest_of_its_study(queue):
    lake, port, list_id = queue
    client = Client(port, "reader-a")
    turn = client.get(f"/page/lists/{list_id}/next").json["turns"][0]
    first = client.post("/page/readings", answered(turn)).json
    again = client.post("/page/readings", answered(turn))
    assert (again.code, again.json["sequence"]) == ("already_read", first["sequence"])
    client.post("/page/readings/undo", {"sequence": first["sequence"]})
    call_wrong(port, 7, "Edema", "reader-a")
    (half, *_) = client.get(f"/page/lists/{list_id}/next").json["turns"]
    assert half["asked"] == ["Nodule"]
    assert client.post("/page/readings", answered(half)).status == 201
    assert (SOURCE, study(7), "Nodule") not in {(row["source"], row["study_id"], row["class"]) for row in waiting(lake)}


def test_who_reads_the_queue_may_open_what_others_have_read_and_nothing_that_waits(queue):
    _, port, list_id = queue
    client = Client(port, "reader-a")
    turn = client.get(f"/page/lists/{list_id}/next").json["turns"][0]
    assert client.post("/page/readings", answered(turn)).status == 201
    assert client.get(f"/page/studies/{study(3)}").code == "blind"
    call_wrong(port, 3, "Mass")
    assert client.get(f"/page/studies/{study(3)}").status == 200
    assert client.get(f"/page/studies/{study(9)}").code == "blind"


def test_a_study_that_left_the_training_pool_is_not_asked(queue):
    lake, port, list_id = queue
    splits = lake.read("splits").to_pylist()
    moved = next(row["patient_key"] for row in lake.read("images", SOURCE).to_pylist() if row["study_id"] == study(3))
    lake.write(
        "splits", [{**row, "pool": "test", "fold": None} if row["patient_key"] == moved else row for row in splits]
    )
    assert [one for one, _ in asked(port, list_id)] == [study(7), study(9)]
