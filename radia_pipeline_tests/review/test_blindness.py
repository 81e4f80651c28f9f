"""Nothing that others say of a study leaves the server before its reader has answered: every byte of a session."""

from __future__ import annotations

import json
import re
import shutil

import pytest

from radia_pipeline.contracts.vocabulary import vocabulary
from radia_pipeline.lake.lake import Lake
from radia_pipeline_tests.review.conftest import copy_of
from radia_pipeline_tests.review.worlds import REPORT, SET, SOURCE, Client, answered, put_opinions, served, study

OTHERS = "other-reader"
MEMBERS = (20, 21, 22)
CHANGING = re.compile(
    rb"[0-9a-f]{12}(?=['\"])|'date', '[^']*'|\d{4}-\d\d-\d\dT[0-9:.+]*|\"(sequence|adjudications)\":\d+"
)
"""What differs between two sessions that are the same: ids of requests, times, numbers of lines."""


def blind_session(port: int, reader: str) -> Client:
    """Read the set as a page does, and knock on every door that is closed before each answer."""
    client, own = Client(port, reader), set()
    for path in ("/", "/page/config", "/page/lists", "/page/studies?limit=500", f"/page/lists/{SET}/done"):
        client.get(path)
    while turns := client.get(f"/page/lists/{SET}/next?ahead=3").json["turns"]:
        client.get(f"/page/lists/{SET}/turns/{turns[0]['position']}")
        for turn in turns:
            films = [*turn["images"], *(one for prior in turn["priors"] for one in prior["images"])]
            for image in films:
                client.get(image["pixels"])
                client.get(f"{image['pixels']}?size=native")
                assert client.get(f"/page/images/{image['image_id']}/maps").status in (404, 409)
            for one in (turn["study_id"], *(prior["study_id"] for prior in turn["priors"])):
                assert client.get(f"/page/studies/{one}").code == "blind"
                assert client.get(f"/page/studies/{one}/answer").code == "blind"
                wrong = {"request_key": f"knock-{one}", "class": "Mass", "answer": "absent"}
                assert client.post(f"/page/studies/{one}/wrong", wrong).code == "blind"
        for sequence in set(range(1, 12)) - own:
            assert client.get(f"/page/readings/{sequence}/reveal").code in ("not_yours", "unknown", "not_yet")
        if own:
            assert client.get(f"/page/lists/{SET}/next?role=adjudicator").json["turns"] == []
            for position in range(len(MEMBERS)):
                assert client.get(f"/page/lists/{SET}/turns/{position}?role=adjudicator").code == "unknown"
        client.get(f"/page/lists/{SET}/done")
        client.get("/page/studies?label=Mass&limit=500")
        client.get("/page/studies?has=report&has=prior&limit=500")
        body = answered(turns[0], present=("Edema",), request_key=f"click-{turns[0]['position']}-{reader}")
        said = client.post("/page/readings", body)
        assert said.status == 201
        own.add(said.json["sequence"])
    return client


def read_by_others(lake: Lake, *opinions: tuple[str, ...]) -> None:
    """Let one more reader read the whole set for each opinion."""
    with served(lake, waits=False) as (_, port):
        for number, present in enumerate(opinions):
            other = Client(port, f"{OTHERS}-{number}")
            while turns := other.get(f"/page/lists/{SET}/next").json["turns"]:
                body = answered(turns[0], present=present, comment="canarycomment")
                assert other.post("/page/readings", body).status == 201


def figures_of(answer: dict) -> set[bytes]:
    """Return every figure of a model's answer as it would be written."""
    text = json.dumps(answer["studies"][0])
    return {one.encode() for one in re.findall(r"0\.\d{5,}", text)}


@pytest.fixture
def session(lake):
    """Return (client after a blind session, figures of the models' answers) in a lake full of opinions."""
    put_boxes(lake)
    read_by_others(lake, ("Mass", "Hernia"), ("Edema",))
    with served(lake) as (server, port):
        client = blind_session(port, "reader-a")
        members = [server.models.answer(study(number), "test") for number in (*MEMBERS, 0, 1, 2)]
        return client, set().union(*map(figures_of, members))


def put_boxes(lake: Lake) -> None:
    rows = lake.read("images").to_pylist()
    lake.write(
        "box_annotations",
        [
            {
                "source": SOURCE,
                "image_id": row["image_id"],
                "study_id": row["study_id"],
                "box_index": 0,
                "class": "Mass",
                "x_px": 37.7731,
                "y_px": 41.1973,
                "width_px": 20.5,
                "height_px": 20.5,
                "reader": "CANARYBOXER",
                "origin": "review",
            }
            for row in rows
        ],
        SOURCE,
    )


def test_no_planted_word_or_figure_is_in_any_byte_of_a_blind_session(session):
    client, figures = session
    heard = b"\n".join(body for _, body in client.heard)
    assert len(client.heard) > 60 and len(figures) > 30
    planted = [
        REPORT.encode(),
        b"CANARYMAKER",
        b"CANARYBOXER",
        b"37.7731",
        b"canarycomment",
        OTHERS.encode(),
        b"masse du lobe",
        *figures,
    ]
    assert [one for one in planted if one in heard] == []


def test_a_blind_session_is_the_same_whatever_others_say(lake, world, tmp_path_factory):
    """Non-interference: other labels, other words, another reader with other answers, and not a byte differs."""
    bare = copy_of(world, tmp_path_factory.mktemp("bare"))
    put_opinions(bare, is_bare=True)
    shutil.rmtree(bare.root / "ledger", ignore_errors=True)
    heard = []
    for one, opinions in ((lake, (("Mass", "Hernia"), ("Edema",))), (bare, ((), ("Hernia",)))):
        read_by_others(one, *opinions)
        with served(one) as (_, port):
            client = blind_session(port, "reader-a")
        heard.append([(ask, CHANGING.sub(b"", body)) for ask, body in client.heard if asks_of_the_set(ask)])
    assert [ask for ask, _ in heard[0]] == [ask for ask, _ in heard[1]]
    assert [ask for (ask, one), (_, other) in zip(*heard) if one != other] == []


def asks_of_the_set(ask: str) -> bool:
    """Leave out what is asked of studies that nobody reads blind."""
    return "/page/studies?" not in ask


def test_a_blind_turn_holds_images_and_nothing_else(shared):
    turn = Client(shared[1], "reader-z").get(f"/page/lists/{SET}/next").json["turns"][0]
    assert set(turn) == {"list_id", "position", "role", "study_id", "asked", "images", "priors", "answers"}
    assert turn["answers"] == []
    for image in (*turn["images"], *turn["priors"][0]["images"]):
        assert (image["flags"], image["device"], image["maps"]) == ([], None, None)
    assert set(turn["asked"]) < set(vocabulary().classes)
