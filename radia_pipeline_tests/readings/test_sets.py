"""Sets are drawn from a whole pool, closed and hashed before the first read; what is read of them, and what is next."""

from __future__ import annotations

import json

import pytest

from radia_pipeline.cli.main import main
from radia_pipeline.errors import BadInput, DamagedFile, EmptyPool, UnknownName, VocabularyMismatch
from radia_pipeline.evaluation.panel import ENSEMBLE
from radia_pipeline.evaluation.pool_uses import uses
from radia_pipeline.readings.chain import CLOSED
from radia_pipeline.readings.drawing import REST
from radia_pipeline.readings.membership import members_sha256, read_sets
from radia_pipeline.readings.progress import Expected, plan_set, reading_list, require_no_open_set, statuses
from radia_pipeline.readings.sets import HIGH_SCORE, draw_set
from radia_pipeline.readings.store import Store, lines_of
from radia_pipeline.readings.truth import build_truth
from radia_pipeline.usecases.forget import forget_patients
from radia_pipeline_tests.cohort.lakes import KEYS
from radia_pipeline_tests.evaluation.worlds import put_release
from radia_pipeline_tests.readings.lakes import answer, drawn_set, pool_lake
from radia_pipeline_tests.readings.worlds import SOURCE


@pytest.fixture
def lake(tmp_path):
    return pool_lake(tmp_path)


def put_scores(lake, high: str) -> None:
    """Give every study a low score, and one of them a high one."""
    rows = []
    for number in range(40):
        study = KEYS.study_id(SOURCE, f"s{number}")
        key = KEYS.patient_key(SOURCE, f"p{number}")
        score = 0.9 if f"s{number}" == high else 0.1 + number / 1000
        rows.append(
            {
                "recipe": ENSEMBLE,
                "source": SOURCE,
                "study_id": study,
                "patient_key": key,
                "group_id": key,
                "pool": "test",
                "class": "Mass",
                "logit": 0.0,
                "probability": score,
                "label": None,
                "image_count": 1,
            }
        )
    put_release(lake, rows)


def test_a_set_is_one_study_a_group_of_the_whole_pool_and_is_closed_before_it_is_read(lake):
    found, _ = drawn_set(lake)
    rows = read_sets(lake)[found.set_id]
    assert (found.studies, found.frame_groups, found.frame_studies) == (12, 40, 54)
    assert len({row["group_id"] for row in rows}) == 12
    assert found.strata[REST] >= 5 and found.strata["Mass"] >= 1
    closed = [line.content for _, line in lines_of(lake) if line.kind == CLOSED]
    members = [(row["study_id"], row["stratum"], row["inclusion_probability"]) for row in rows]
    assert [one["members_sha256"] for one in closed] == [members_sha256(members)] == [rows[0]["members_sha256"]]


def test_the_same_draw_is_published_once_and_another_beside_it(lake):
    first = draw_set(lake, "test", 12)
    assert draw_set(lake, "test", 12) == first
    other = draw_set(lake, "test", 12, seed=1, name="second")
    assert set(read_sets(lake)) == {first.set_id, other.set_id} and other.set_id.startswith("second-")


def test_a_high_score_against_the_label_is_a_stratum_and_leaves_a_line_without_figures(lake):
    put_scores(lake, high="s7")
    found = draw_set(lake, "test", 30)
    mine = KEYS.study_id(SOURCE, "s7")
    strata = {row["study_id"]: row["stratum"] for row in read_sets(lake)[found.set_id]}
    assert strata[mine] == HIGH_SCORE
    line = json.loads(lake.ledger_path.with_name("test_pool.jsonl").read_text())
    assert (line["purpose"], line["name"], line["studies"]) == ("reading set", found.set_id, 54)
    assert set(line) == {"at", "purpose", "name", "studies", "who", "why", "~"}
    assert not any(use.shows_figures for use in uses(lake))


def test_a_pool_of_which_the_ensemble_says_nothing_is_drawn_without_scores(tmp_path):
    lake = pool_lake(tmp_path, pool="train")
    row = {
        "recipe": ENSEMBLE,
        "source": SOURCE,
        "study_id": "a" * 32,
        "patient_key": "b" * 32,
        "group_id": "b" * 32,
        "pool": "validation",
        "class": "Mass",
        "logit": 0.0,
        "probability": 0.5,
        "label": None,
        "image_count": 1,
    }
    lake.write("predictions", [row], ENSEMBLE)
    assert not draw_set(lake, "train", 12).uses_scores


@pytest.mark.parametrize(
    ("pool", "size", "error"), [("test", 0, BadInput), ("train", 5, EmptyPool), ("x", 5, UnknownName)]
)
def test_what_cannot_be_drawn_is_refused(lake, pool, size, error):
    with pytest.raises(error):
        draw_set(lake, pool, size)
    with pytest.raises(BadInput, match="name"):
        draw_set(lake, "test", 5, name="set of Dr. X")
    assert read_sets(lake) == {}


def test_progress_says_what_is_next(lake):
    found, studies = drawn_set(lake, 3)
    assert "3 studies need a reader" in statuses(lake)[0].next_step
    assert len(reading_list(lake, found.set_id, "r1")) == 3
    for study in studies:
        answer(lake, found.set_id, study, "r1", 1)
        answer(lake, found.set_id, study, "r2", int(study != studies[0]))
    (status,) = statuses(lake)
    assert status.read == {"r1": 3, "r2": 3} and "1 studies need the adjudicator" in status.next_step
    assert status.between.observed == pytest.approx(2 / 3)
    with pytest.raises(VocabularyMismatch, match="is being read"):
        require_no_open_set(lake)
    answer(lake, found.set_id, studies[0], "a1", 0, phase="adjudication", role="adjudicator")
    assert not statuses(lake)[0].is_open and reading_list(lake, found.set_id, "r1") == []
    require_no_open_set(lake)


def test_repeats_show_each_readers_own_agreement(lake):
    found, studies = drawn_set(lake, 3)
    for study, again in zip(studies, (1, 1, 0)):
        answer(lake, found.set_id, study, "r1", 1)
        answer(lake, found.set_id, study, "r1", again, phase="repeat")
    assert statuses(lake)[0].within["r1"].observed == pytest.approx(2 / 3)


def test_a_forgotten_patient_leaves_the_set(lake):
    found, _ = drawn_set(lake, 40)
    answer(lake, found.set_id, KEYS.study_id(SOURCE, "s1"), "r1", 1)
    forget_patients([KEYS.patient_key(SOURCE, "p1")], lake)
    assert len(read_sets(lake)[found.set_id]) == 39
    assert statuses(lake)[0].read == {}
    assert len(Store(lake).closings(found.set_id)) == 2
    answer(lake, found.set_id, KEYS.study_id(SOURCE, "s2"), "r1", 1)
    assert statuses(lake)[0].read == {"r1": 1}


def test_a_set_that_is_not_as_it_was_closed_gives_no_truth(lake):
    """An inclusion probability that was changed would change every figure; forgetting does not make it sound."""
    found, _ = drawn_set(lake, 40)
    (rows,) = read_sets(lake).values()
    lake.write("reading_sets", [{**rows[0], "inclusion_probability": 0.25}, *rows[1:]])
    for look in (statuses, build_truth):
        with pytest.raises(DamagedFile, match="not as it was closed"):
            look(lake)
    forget_patients([KEYS.patient_key(SOURCE, "p1")], lake)
    assert len(Store(lake).closings(found.set_id)) == 1
    with pytest.raises(DamagedFile):
        statuses(lake)


def test_narrower_wishes_cost_more(lake):
    wide, narrow = (plan_set(lake, "test", width) for width in (0.45, 0.001))
    assert wide.is_reached and not narrow.is_reached and narrow.studies == 40
    assert [one.name for one in narrow.classes] == ["Mass"]
    assert narrow.hours == pytest.approx(40 * 2 * 1.1 / 60)


def test_what_labels_miss_makes_a_plan_wider(tmp_path):
    """A positive without a label is met in the rest, where one read study stands for many."""
    lake = pool_lake(tmp_path, patients=400)
    (all_found,), (half_found,) = (
        plan_set(lake, "test", 0.45, Expected(label_sensitivity=share)).classes for share in (1.0, 0.5)
    )
    assert half_found.effective_positives < all_found.effective_positives
    assert half_found.auc_half_width > all_found.auc_half_width
    with pytest.raises(BadInput, match="impossible"):
        plan_set(lake, "test", 0.1, Expected(label_sensitivity=0.0))


def test_the_commands_draw_plan_and_tell(lake, capsys):
    def run(*words: str) -> dict:
        assert main(["review", *words, "--lake", str(lake.root), "--json"]) == 0
        return json.loads(capsys.readouterr().out.strip().splitlines()[-1])

    drawn = run("draw", "--size", "10")
    assert drawn["studies"] == 10
    (status,) = run("status")["sets"]
    assert (status["set_id"], status["between"]["kappa"]) == (drawn["set_id"], None)
    assert run("next", drawn["set_id"], "--reader", "r1")["left"] == 10
    assert run("plan", "--half-width", "0.2")["studies"] == 40
    assert main(["review", "status", "--lake", str(lake.root)]) == 0
    told = capsys.readouterr().out
    assert "10 studies need a reader" in told and "nan" not in told
