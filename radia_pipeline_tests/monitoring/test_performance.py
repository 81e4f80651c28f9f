"""Performance by blind readings: AUC and kappa by month, with intervals; other phases and later ones do not count."""

from __future__ import annotations

from datetime import date
from types import SimpleNamespace

import numpy as np
import pytest

from radia_pipeline.contracts.label_values import NEGATIVE, POSITIVE
from radia_pipeline.contracts.vocabulary import vocabulary
from radia_pipeline.errors import BadInput, EmptyPool
from radia_pipeline.monitoring.performance import MODEL_AND_READER, READERS, _kappa, measured
from radia_pipeline.monitoring.pixel_figures import FIGURES
from radia_pipeline.monitoring.readouts import model_version
from radia_pipeline.monitoring.sample import write_sample
from radia_pipeline.readings.lists import cells_of_file
from radia_pipeline.readings.reading import Reading
from radia_pipeline.readings.store import Store
from radia_pipeline_tests.monitoring.worlds import SOURCE, filled, make

NAME, DAY = "Cardiomegaly", date(2026, 6, 30)
PLACE = vocabulary().classes.index(NAME)
READY = SimpleNamespace(
    using=SimpleNamespace(ensemble_version="v"),
    fingerprints={},
    ensemble=SimpleNamespace(cuts=np.full(len(vocabulary().classes), 0.5)),
)
"""Models that have looked at every film already."""


@pytest.fixture
def lake(tmp_path):
    lake = make(tmp_path / "lake", 4)
    films = lake.read("images", SOURCE).to_pylist()
    pools = [
        {"patient_key": film["patient_key"], "source": SOURCE, "pool": "test" if n < 6 else "validation"}
        for n, film in enumerate(films)
    ]
    lake.write("splits", filled("splits", pools))
    rng, rows = np.random.default_rng(15), []
    for film in films:
        chances = np.full(len(vocabulary().classes), 0.1)
        chances[PLACE] = rng.random()
        rows.append(
            {
                **{name: film[name] for name in ("source", "image_id", "study_id", "patient_key")},
                **dict.fromkeys(FIGURES, 0.0),
                "model": model_version(READY),
                "features": [],
                "entropy": 0.1,
                "familiarity": 0.5,
                "probabilities": chances.tolist(),
            }
        )
    lake.write("film_readouts", rows, SOURCE)
    return lake


def read(lake, reader: str, month: int, phase: str = "monitor", wrong: float = 0.0, seed: int = 0) -> None:
    """Let a reader answer for every study, by the model's score, wrongly for a share."""
    rng = np.random.default_rng(seed)
    for row in lake.read("film_readouts", SOURCE).to_pylist():
        answer = int(row["probabilities"][PLACE] > 0.5)
        answer = 1 - answer if rng.random() < wrong else answer
        key, at = f"{reader}-{month}-{phase}-{row['study_id']}", f"2026-{month:02d}-10T09:00:00+00:00"
        study = row["study_id"]
        Store(lake).append(Reading(SOURCE, study, reader, phase, key, {NAME: answer}, (NAME,), decided_at=at))


def of(found, **wanted):
    return [one for one in found if all(getattr(one, name) == value for name, value in wanted.items())]


def test_auc_and_kappa_stand_by_month_and_over_all_with_intervals(lake):
    read(lake, "a", 4, wrong=0.1)
    read(lake, "a", 5, wrong=0.5, seed=1)
    found = measured(lake, DAY, READY, 5)
    april, may, both = (
        of(found, month=month, figure="auc", subject=NAME)[0] for month in ("2026-04", "2026-05", "all")
    )
    assert april.value > 0.8 > 0.65 > may.value and april.low < april.value < april.high
    assert both.studies == april.studies == 90, "studies of the test pool are not scored"
    (kappa,) = of(found, month="2026-04", figure="kappa", subject=MODEL_AND_READER)
    assert 0.6 < kappa.low < kappa.value < kappa.high <= 1


def test_a_months_sample_leaves_out_the_test_pool_and_is_read_as_phase_monitor(lake, tmp_path):
    out = tmp_path / "monitor-2026-01.csv"
    assert write_sample(lake, "2026-01", out) == 50 and write_sample(lake, "2026-01", out) == 50
    chosen = cells_of_file(out)
    tested = {row["patient_key"] for row in lake.read("splits").to_pylist() if row["pool"] == "test"}
    patients = {row["study_id"]: row["patient_key"] for row in lake.read("images", SOURCE).to_pylist()}
    assert chosen.phase == "monitor" and not {patients[study] for study in chosen.asked} & tested
    with pytest.raises(BadInput, match="begins with monitor"):
        write_sample(lake, "2026-01", tmp_path / "some.csv")
    with pytest.raises(EmptyPool):
        write_sample(lake, "2026-09", out)


def test_two_readers_of_the_same_studies_are_compared(lake):
    read(lake, "a", 4)
    read(lake, "b", 4, wrong=0.2, seed=2)
    (kappa,) = of(measured(lake, DAY, READY, 5), month="2026-04", subject=READERS)
    assert 0.3 < kappa.low < 0.6 < kappa.high < 1


def test_other_phases_later_readings_and_few_positives_say_nothing(lake):
    read(lake, "a", 4, phase="queue")
    assert measured(lake, DAY, READY, 5) == []
    read(lake, "a", 7)
    assert measured(lake, DAY, READY, 5) == []
    assert of(measured(lake, date(2026, 7, 30), READY, 60), figure="auc") == []


def test_kappa_has_an_interval_of_95_percent():
    """600 pairs, half positive, four of five alike: kappa .6, whose error is 2 √(p (1 − p) / n)."""
    same = np.tile(np.r_[np.ones(4, bool), False], 120)
    first = np.repeat([POSITIVE, NEGATIVE], 300)
    pairs = [(np.array([one]), np.array([one if agrees else 1 - one])) for one, agrees in zip(first, same)]
    (found,) = _kappa("2026-04", READERS, pairs)
    half = 1.96 * 2 * np.sqrt(0.8 * 0.2 / 600)
    assert found.value == pytest.approx(0.6) and (found.high - found.low) / 2 == pytest.approx(half, rel=0.08)
