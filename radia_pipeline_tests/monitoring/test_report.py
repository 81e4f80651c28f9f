"""Reports over a lake in which something changes: its layer finds it, silence is an alarm, answers count."""

from __future__ import annotations

import shutil

import numpy as np
import pytest

from radia_pipeline.lake.lake import Lake
from radia_pipeline.monitoring.acknowledgements import ACKNOWLEDGED, Act, note
from radia_pipeline.monitoring.actions import demanded
from radia_pipeline.monitoring.reference import read_reference
from radia_pipeline.monitoring.report import build_report
from radia_pipeline.monitoring.streams import ReportFacts, report_streams
from radia_pipeline.pages.drift import PAGE, write_drift_page
from radia_pipeline.usecases.forget import forget_patients
from radia_pipeline_tests.monitoring.worlds import REFERENCE_WEEKS, SOURCE, Story, day_of, make, report_day

SINCE = REFERENCE_WEEKS + 2


@pytest.fixture(scope="module")
def frozen(tmp_path_factory) -> Lake:
    """Return a lake whose reference is frozen on its first twelve weeks; the other lakes begin alike."""
    lake = make(tmp_path_factory.mktemp("frozen") / "lake", REFERENCE_WEEKS)
    build_report(lake, report_day(REFERENCE_WEEKS))
    return lake


def changed(frozen: Lake, root, weeks: int, **told) -> Lake:
    """Return a lake that began as ``frozen`` and went on."""
    lake = make(root / "lake", weeks, Story(**told))
    lake.write("drift_reference", frozen.read("drift_reference"))
    return lake


def gamma(rng, film):
    film["image"] = np.clip(film["image"], 0, 1) ** 0.6


def inversion(rng, film):
    if rng.random() < 0.3:
        film["image"], film["inverted_score"] = 1 - film["image"], 0.9


def crop(rng, film):
    film["image"] = np.clip(film["image"], 0, 1)
    film["image"][:3], film["image"][-3:] = 1.0, 1.0


def machine(rng, film):
    film["device_model"] = "Y9"


def wording(rng, film):
    film["unread"] = int(rng.random() < 0.4)


def prevalence(rng, film):
    film["positive"] = rng.random() < 0.9


def age(rng, film):
    film["patient_age_years"] = float(np.clip(film["patient_age_years"] - 25, 1, 90))


def lost_tag(rng, film):
    film["pixel_spacing_row_mm"] = None


def refusals(rng, film):
    film["outcome"] = "refused" if rng.random() < 0.3 else "ingested"


@pytest.mark.parametrize(
    ("change", "layer", "stream"),
    [
        (gamma, "pixels", "mean_grey"),
        (inversion, "pixels", "inverted_score"),
        (crop, "pixels", "border_grey"),
        (machine, "tags", "new machine"),
        (wording, "reports", "unread"),
        (prevalence, "reports", "label Cardiomegaly"),
        (age, "tags", "patient_age_years"),
        (lost_tag, "tags", "pixel_spacing_row_mm missing"),
        (refusals, "pipeline", "refused"),
    ],
)
def test_each_change_is_found_by_its_layer(frozen, tmp_path, change, layer, stream):
    lake = changed(frozen, tmp_path, SINCE + 5, change=change, since=SINCE)
    build_report(lake, report_day(SINCE + 5))
    row = next(row for row in demanded(lake).waiting if row["stream"] == stream)
    assert row["layer"] == layer and row["source"] == SOURCE
    assert report_day(SINCE - 1).isoformat() <= row["since"] <= report_day(SINCE + 2).isoformat()


def test_quiet_weeks_ask_for_nothing_and_tell_what_is_usual(frozen, tmp_path):
    lake = changed(frozen, tmp_path, REFERENCE_WEEKS + 8)
    found = build_report(lake, report_day(REFERENCE_WEEKS + 8))
    assert demanded(lake).waiting == () and found.asked["ticket"] == 0
    rows = {row["stream"]: row for row in lake.read("drift_report", found.day).to_pylist()}
    assert rows["patient_age_years"]["usual"] == pytest.approx(60, abs=3) and rows["patient_age_years"]["windows"] == 8
    assert {"pipeline", "tags", "pixels", "reports"} == {row["layer"] for row in rows.values()}


def test_the_same_day_gives_the_same_report(frozen, tmp_path):
    lake = changed(frozen, tmp_path, REFERENCE_WEEKS + 4, change=gamma, since=SINCE)
    day = report_day(REFERENCE_WEEKS + 3)
    build_report(lake, day)
    first = lake.version("drift_report", day.isoformat())
    build_report(lake, report_day(REFERENCE_WEEKS + 4))
    build_report(lake, day)
    assert lake.version("drift_report", day.isoformat()) == first


def test_silence_is_an_alarm(frozen, tmp_path):
    lake = changed(frozen, tmp_path, 30, silent_from=REFERENCE_WEEKS + 2)
    quiet, loud = report_day(REFERENCE_WEEKS + 3), report_day(REFERENCE_WEEKS + 4)
    assert build_report(lake, quiet).silent == [] and build_report(lake, loud).silent == [SOURCE]
    row = next(row for row in demanded(lake).waiting if row["stream"] == "deliveries came")
    assert row["state"] == "silent" and row["since"] > day_of(REFERENCE_WEEKS + 1).isoformat()
    assert "nothing for 20 days" in row["detail"]


def test_a_lake_without_a_clock_or_with_few_weeks_waits_and_says_why(tmp_path):
    lake = make(tmp_path / "lake", 3)
    assert build_report(lake, report_day(3)).waiting == [SOURCE]
    (row,) = lake.read("drift_report", report_day(3).isoformat()).to_pylist()
    assert "3 weeks with a delivery, 8 windows" in row["detail"] and read_reference(lake, SOURCE) is None


def test_an_answer_with_a_name_and_a_reason_ends_the_demand_and_starts_the_sums_anew(frozen, tmp_path):
    lake = changed(frozen, tmp_path, SINCE + 7, change=age, since=SINCE)
    day = report_day(SINCE + 4)
    build_report(lake, day)
    assert {row["stream"] for row in demanded(lake).waiting} == {"patient_age_years"}
    note(lake, Act(ACKNOWLEDGED, "A. Steward", "a geriatric ward closed", day.isoformat(), SOURCE))
    assert demanded(lake).action == "none" and len(demanded(lake).answered) == 1
    build_report(lake, report_day(SINCE + 5))
    rows = {row["stream"]: row for row in lake.read("drift_report", report_day(SINCE + 5).isoformat()).to_pylist()}
    assert rows["patient_age_years"]["windows"] == 1
    build_report(lake, report_day(SINCE + 7))
    assert "patient_age_years" in {row["stream"] for row in demanded(lake).waiting}, "what goes on comes back"


def test_examples_are_those_that_show_the_change_and_go_with_their_patient(frozen, tmp_path):
    lake = changed(frozen, tmp_path, SINCE + 5, change=age, since=SINCE)
    found = build_report(lake, report_day(SINCE + 5))
    mine = [row for row in lake.read("drift_examples", found.day).to_pylist() if row["stream"] == "patient_age_years"]
    ages = [row["value"] for row in sorted(mine, key=lambda row: row["place"])]
    assert ages == sorted(ages) and ages[0] < 40
    page, victim = write_drift_page(lake, lake.root / PAGE), mine[0]["patient_key"]
    assert mine[0]["study_id"] in page.read_text(encoding="utf-8")
    forget_patients([victim], lake)
    left = [lake.read("drift_examples", found.day), lake.read("film_readouts", SOURCE)]
    assert not page.exists() and all(victim not in rows["patient_key"].to_pylist() for rows in left)


def test_a_film_is_looked_at_once(frozen, tmp_path):
    lake = changed(frozen, tmp_path, REFERENCE_WEEKS + 2)
    build_report(lake, report_day(REFERENCE_WEEKS + 1))
    shutil.rmtree(lake.pixels_dir)
    build_report(lake, report_day(REFERENCE_WEEKS + 1))
    assert lake.exists("film_readouts", SOURCE)


def test_reports_that_nobody_has_read_yet_are_no_drift_of_the_rules():
    facts = ReportFacts(
        {
            "s1": {
                "is_unlabelled": False,
                "uncertain_share": 0.0,
                "mention_count": 1,
                "is_quality_limited": False,
                "is_signed_unread": False,
                "unread_count": 0,
            }
        },
        {},
        {"s1": frozenset({"affirmed"})},
        {},
        ("affirmed",),
    )
    rows = [{"study_id": one, "length": 10} for one in ("s1", "s2")]
    (rule,) = [one for one in report_streams(rows, facts) if one.name == "rule affirmed"]
    assert rule.values[0] == 1.0 and np.isnan(rule.values[1])
