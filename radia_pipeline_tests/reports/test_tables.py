"""Reports in the lake: ingest, extraction, labels from tables, attributes, and what a new lexicon moves."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from pathlib import Path

import pyarrow as pa
import pytest

from radia_pipeline.lake.keys import Pseudonymizer
from radia_pipeline.lake.lake import Lake
from radia_pipeline.reports import extract
from radia_pipeline.reports.changes import moved, summary
from radia_pipeline.reports.engine import Labeler
from radia_pipeline.reports.evidence import as_record, colour
from radia_pipeline.reports.extract import extract_mentions
from radia_pipeline.reports.french import FRENCH
from radia_pipeline.reports.ingest import ingest_reports
from radia_pipeline.reports.labels import SAID_SCHEMA, said_from_mentions
from radia_pipeline.sources.base import REPORT_SCHEMA, Delivered
from radia_pipeline_tests.reports.texts import dev_set


@dataclass(frozen=True)
class WithReports:
    rows: list | None
    name: str = "ccsmtl"

    def reports(self, root: Path) -> Delivered | None:
        if self.rows is None:
            return None
        return Delivered(
            pa.Table.from_pylist([dict(zip(REPORT_SCHEMA.names, r, strict=True)) for r in self.rows], REPORT_SCHEMA)
        )


@pytest.fixture
def lake(tmp_path):
    return Lake.open(tmp_path / "lake")


@pytest.fixture
def keys(lake):
    return Pseudonymizer(b"k" * 32)


def test_reading_in_processes_is_reading_in_one(lake, keys, tmp_path, monkeypatch):
    """More chunks than processes, so that they come back in another order than they went."""
    texts = [text for _, text, _ in dev_set() if "Dr " not in text][:400]  # the gate refuses names
    rows = [(f"s{number:03d}", f"p{number}", text) for number, text in enumerate(texts)]
    ingest_reports(WithReports(rows), tmp_path, lake, keys)
    one = extract_mentions("ccsmtl", lake, workers=1)
    monkeypatch.setattr(extract, "CHUNK", 37)
    monkeypatch.setattr(extract, "WORTH_A_POOL", 1)
    two = extract_mentions("ccsmtl", lake, workers=2)
    assert replace(two, changed=True, engine_before="") == one
    assert not two.changed


def test_texts_of_one_study_are_joined_and_mismatched_patients_counted(lake, keys, tmp_path):
    rows = [
        ("s1", "p1", "Pas d'épanchement."),
        ("s1", "p1", "Cardiomégalie."),
        ("s1", "p2", "Cardiomégalie."),
        ("s2", "p2", ""),
    ]
    result = ingest_reports(WithReports(rows), tmp_path, lake, keys)
    assert (result.found, result.studies, result.joined, result.repeated, result.empty, result.patient_mismatches) == (
        4,
        2,
        1,
        1,
        1,
        1,
    )
    texts = {r["study_id"]: r for r in lake.read("reports", "ccsmtl").to_pylist()}
    assert texts[keys.study_id("ccsmtl", "s1")]["report_text"] == "Pas d'épanchement.\n\nCardiomégalie."
    assert texts[keys.study_id("ccsmtl", "s1")]["patient_key"] == keys.patient_key("ccsmtl", "p1")


def test_a_source_without_reports_publishes_empty_tables(lake, keys, tmp_path):
    assert ingest_reports(WithReports(None), tmp_path, lake, keys).studies == 0
    assert extract_mentions("ccsmtl", lake).reports == 0
    assert len(lake.read("report_mentions", "ccsmtl")) == len(lake.read("report_attributes", "ccsmtl")) == 0


def test_labels_from_tables_are_the_labels_of_the_reader(lake, keys, tmp_path):
    texts = {f"s{i}": text for i, (_, text, _) in enumerate(dev_set()) if "Dr " not in text}  # the gate refuses names
    ingest_reports(WithReports([(s, "p", t) for s, t in texts.items()]), tmp_path, lake, keys)
    result = extract_mentions("ccsmtl", lake)
    said = said_from_mentions(lake.read("report_mentions", "ccsmtl"), lake.read("report_attributes", "ccsmtl"))
    got: dict[str, dict] = {}
    for row in said.to_pylist():
        got.setdefault(row["study_id"], {})[row["class"]] = row["said"]
    for study, text in texts.items():
        assert got.get(keys.study_id("ccsmtl", study), {}) == Labeler.default().read(text).labels
    assert result.reports == len(texts) and sum(result.by_rule.values()) == result.mentions
    assert not extract_mentions("ccsmtl", lake).changed


def test_a_change_of_labels_is_reported(lake, keys, tmp_path):
    ingest_reports(WithReports([("s1", "p", "Cardiomégalie.")]), tmp_path, lake, keys)
    first = extract_mentions("ccsmtl", lake)
    assert (first.engine_before, first.moved) == ("", ())
    ingest_reports(WithReports([("s1", "p", "Pas de cardiomégalie."), ("s2", "p", "Masse.")]), tmp_path, lake, keys)
    again = extract_mentions("ccsmtl", lake)
    assert again.engine_before == again.engine_version
    assert again.moved == (
        {"class": "Cardiomegaly", "from": 1, "to": 0, "count": 1},
        {"class": "No Finding", "from": 0, "to": 1, "count": 1},
    )


def test_moves_count_appearing_and_vanishing_values_of_known_studies():
    def table(*rows):
        return pa.Table.from_pylist([dict(zip(SAID_SCHEMA.names, r, strict=True)) for r in rows], SAID_SCHEMA)

    old = table(("a", "Mass", 1), ("a", "Hernia", -1), ("b", "Hernia", -1), ("gone", "Mass", 1))
    new = table(("a", "Nodule", 0), ("a", "Hernia", 0), ("b", "Hernia", 0), ("new", "Mass", 0))
    assert summary(moved(old, new)) == [
        {"class": "Hernia", "from": -1, "to": 0, "count": 2},
        {"class": "Mass", "from": 1, "to": None, "count": 1},
        {"class": "Nodule", "from": None, "to": 0, "count": 1},
    ]
    assert moved(old, old) == {}


def test_a_denial_that_no_rule_reads_makes_no_label_and_is_listed(lake, keys, tmp_path):
    ingest_reports(WithReports([("s1", "p", "L'épanchement ne répond pas au critère.")]), tmp_path, lake, keys)
    assert extract_mentions("ccsmtl", lake).unread == 1
    unread = lake.read("unread_sentences", "ccsmtl")
    assert unread.column("concept").to_pylist() == ["effusion"]
    assert unread.column("sentence").to_pylist() == ["L'épanchement ne répond pas au critère"]
    assert Labeler.default().read("L'épanchement ne répond pas au critère.").labels == {}


@pytest.mark.parametrize(
    "text,attribute",
    [
        ("Pas d'épanchement. Signé sans relecture du radiologue.", "is_signed_unread"),
        ("Cardiomégalie. CONCORDANCE IMPOSSIBLE", "is_concordance_impossible"),
        ("Les bases ne sont pas entièrement couvertes. Pas d'épanchement.", "is_quality_limited"),
        ("Voir TDM.", "is_reference_only"),
        ("Indication: pneumonie? Rapport: Cardiomégalie.", "has_open_question"),
        ("Scoliose.", "has_other_abnormality"),
        ("", "is_unlabelled"),
    ],
)
def test_attributes(text, attribute):
    assert getattr(Labeler.default().read(text).attributes, attribute)
    assert not getattr(
        Labeler.default().read("Indication: pneumonie? Rapport: Pas de pneumonie.").attributes, attribute
    )


def test_evidence_colours_findings_and_names_the_rule():
    text = "Indication : pneumonie ? Rapport : Cardiomégalie. Pas d'épanchement. Possible atélectasie."
    reading = Labeler.default().read(text)
    shown, *lines = colour(text, reading).split("\n")
    dim, red, green, yellow, end = "\x1b[2m", "\x1b[1;31m", "\x1b[1;32m", "\x1b[1;33m", "\x1b[0m"
    assert shown == (
        f"Indication : {dim}pneumonie{end} ? Rapport : {red}Cardiomégalie{end}. "
        f"Pas d'{green}épanchement{end}. Possible {yellow}atélectasie{end}."
    )
    assert lines == [
        "  · Pneumonia (section.indication, indication)",
        "  + Cardiomegaly (affirmed, findings)",
        '  - Pleural Effusion by "Pas d" (no_pas_de, findings)',
        '  ? Atelectasis by "Possible" (hedge_adjective, findings)',
    ]


def test_a_reading_is_a_record():
    text = "Pas d'épanchement. Possible atélectasie."
    assert as_record(Labeler.default().read(text))["labels"] == {
        "Pleural Effusion": 0,
        "Atelectasis": -1,
        "No Finding": 0,
    }


def test_the_version_is_those_of_lexicon_and_cues_and_a_digest():
    assert Labeler.default().version == FRENCH.version
    assert re.fullmatch(r"\d+\.\d+\.\d+\+\d+\.\d+\.\d+\.[0-9a-f]{12}", FRENCH.version)
