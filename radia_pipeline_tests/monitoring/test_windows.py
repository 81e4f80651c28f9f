"""Windows of time: one image for each patient, enough patients, later days change no earlier window."""

from __future__ import annotations

from datetime import date, timedelta

from hypothesis import given
from hypothesis import strategies as st

from radia_pipeline.monitoring.windows import cut, one_each

START = date(2026, 6, 1)


def made(offsets: list[int], patients: list[str], until: int, least: int = 2):
    images = [f"image {row}" for row in range(len(offsets))]
    days = [START + timedelta(days=offset) for offset in offsets]
    return cut(days, patients, images, span=(START, START + timedelta(days=until)), length=7, least=least)


def told(windows):
    return [((w.start - START).days, (w.end - START).days, w.rows.tolist()) for w in windows]


@given(st.lists(st.tuples(st.sampled_from("abcde"), st.integers(0, 99)), min_size=1, unique=True))
def test_each_patient_counts_once_whatever_the_order(films):
    rows = one_each([p for p, _ in films], [f"{p}{n}" for p, n in films])
    chosen = {films[row] for row in rows}
    turned = films[::-1]
    assert {films[row][0] for row in rows} == {p for p, _ in films} and len(rows) == len({p for p, _ in films})
    assert {turned[row] for row in one_each([p for p, _ in turned], [f"{p}{n}" for p, n in turned])} == chosen


def test_a_week_with_too_few_goes_on_into_the_next():
    assert told(made([0, 6, 8, 15, 30], ["a", "b", "a", "c", "d"], until=34)) == [(0, 6, [0, 1]), (7, 20, [2, 3])]


def test_one_patient_many_times_is_no_window():
    assert made([0, 1, 2], ["a", "a", "a"], until=6) == []


def test_what_is_not_over_yet_or_lies_before_does_not_count():
    assert made([-1, 0, 1], ["a", "b", "c"], until=5) == []
    assert told(made([-1, 0, 1], ["a", "b", "c"], until=6)) == [(0, 6, [1, 2])]


@given(st.lists(st.tuples(st.integers(0, 60), st.sampled_from("abcdefgh")), min_size=1), st.integers(0, 40))
def test_later_days_change_no_earlier_window(films, until):
    films.sort()
    offsets, patients = [o for o, _ in films], [p for _, p in films]
    early, late = told(made(offsets, patients, until)), told(made(offsets, patients, 70))
    assert late[: len(early)] == early
