"""The data profile: every source, class and shift on one page that stands alone, also where there is little."""

from __future__ import annotations

import pytest

from radia_pipeline.contracts.vocabulary import vocabulary
from radia_pipeline.errors import MissingTable
from radia_pipeline.lake.lake import Lake
from radia_pipeline.pages.data_profile import PAGE, write_profile_page
from radia_pipeline.pages.data_profile_figures import (
    Figures,
    by_pool,
    correlation_map,
    correlations_by_pool,
    prevalences,
    shifts,
)
from radia_pipeline_tests.pages.outline import assert_stands_alone, outline


def row(measure: str, source: str, value: float | None, name: str | None = None, other: str | None = None, count=3):
    """One row of ``data_profile``."""
    return {"measure": measure, "source": source, "class": name, "other": other, "value": value, "count": count}


ROWS = [
    *(row("images", source, None, count=40) for source in ("ccsmtl", "nih_cxr14")),
    *(row("patients", source, None, count=20) for source in ("ccsmtl", "nih_cxr14")),
    *(row("images", "ccsmtl", 0.5, other=pool, count=20) for pool in ("train", "test")),
    row("positives", "ccsmtl", 0.125, "Edema", count=5),
    row("uncertain", "ccsmtl", 0.05, "Edema", count=2),
    row("positives", "ccsmtl", 0.25, "Edema", "train", count=5),
    row("positives", "nih_cxr14", 0.0, "Fracture", "train", count=0),
    row("uncertain_to_positive", "ccsmtl", 0.4, "Edema"),
    row("labels_per_image", "ccsmtl", 0.996, other="00"),
    row("labels_per_image", "ccsmtl", 0.004, other="01"),
    row("images_per_patient", "nih_cxr14", 1.0, other="09"),
    row("correlation", "ccsmtl", 0.37, "Edema", "Mass"),
    row("correlation", "ccsmtl", 0.9, "Lung Opacity", "Opacity"),
    row("shift_prevalence_effect", "ccsmtl", -0.92, "Edema", "nih_cxr14", count=17),
    row("shift_prevalence_p", "ccsmtl", 1e-9, "Edema", "nih_cxr14"),
    row("shift_age_effect", "ccsmtl", 0.3, None, "nih_cxr14"),
    row("shift_age_p", "ccsmtl", 0.2, None, "nih_cxr14"),
]


def page_of(lake: Lake, rows: list[dict]) -> str:
    """Return the page of these rows."""
    lake.write("data_profile", rows)
    path = write_profile_page(lake)
    assert path == lake.root / PAGE
    return path.read_text(encoding="utf-8")


@pytest.fixture
def lake(tmp_path) -> Lake:
    return Lake.open(tmp_path / "lake")


def test_the_page_stands_alone_and_names_every_class_and_source(lake):
    page = page_of(lake, ROWS)
    assert_stands_alone(page)
    said = outline(page).text
    for part in ("ccsmtl", "nih_cxr14", *vocabulary().classes, "not labelled", "12.5 %", "40 %", "age"):
        assert part in said
    assert lake.version("data_profile")[:12] in said


def test_a_shift_is_sure_and_not_small_and_the_strongest_stands_first(lake):
    found = shifts(Figures(ROWS))
    assert [(row["what"], row["is_shift"]) for row in found] == [("prevalence of Edema", True), ("age", False)]
    assert (found[0]["effect"], found[0]["p"], found[0]["n"]) == ("−0.92", "< 0.001", 17)
    assert outline(page_of(lake, ROWS)).text.count("shift") == 1


def test_a_class_that_a_source_does_not_label_has_no_prevalence():
    (fracture,) = [row for row in prevalences(Figures(ROWS)) if row["name"] == "Fracture"]
    assert fracture["shares"] == [None] * 6
    (edema,) = [row for row in prevalences(Figures(ROWS)) if row["name"] == "Edema"]
    assert edema["shares"] == [0.25, None, None, None, None, None]


def test_distributions_and_correlations_are_drawn_for_each_pool_that_has_them(lake):
    more = [
        row("labels_per_image_train", "ccsmtl", 0.9, other="00", count=18),
        row("labels_per_image_train", "ccsmtl", 0.1, other="01", count=2),
        row("labels_per_image_test", "ccsmtl", 1.0, other="02", count=20),
        row("images_per_study", "ccsmtl", 1.0, other="01", count=31),
        row("correlation_test", "ccsmtl", -0.41, "Edema", "Mass"),
    ]
    found = Figures([*ROWS, *more])
    (one,) = by_pool(found, "labels_per_image", "images", "pathologies of an image")
    assert (one["source"], one["counts"]) == ("ccsmtl", "images: train 20, test 20")
    assert "train, 0: 90.0" in one["picture"].body and "test, 2: 100.0" in one["picture"].body
    assert by_pool(found, "images_per_patient", "patients", "images of a patient") == []
    (matrix,) = correlations_by_pool(found)
    assert (matrix["pool"], matrix["count"], matrix["strongest"]) == ("test", 20, "Edema and Mass -0.41")
    said = outline(page_of(lake, [*ROWS, *more])).text
    assert "31 examinations" in " ".join(said) and "images: train 20, test 20" in said


def test_correlations_are_symmetric_and_the_strongest_says_something_of_patients():
    picture = correlation_map(Figures(ROWS), "ccsmtl")
    assert picture.description == "Edema and Mass +0.37"
    assert "Edema / Mass: +0.37" in picture.body
    assert "Mass / Edema: +0.37" in picture.body


def test_one_source_with_little_in_it_is_a_page_too(lake):
    page = page_of(lake, [row("images", "ccsmtl", None, count=0)])
    assert_stands_alone(page)
    assert "nothing to compare" in page


def test_a_profile_without_a_source_is_a_page_too(lake):
    outline(page_of(lake, []))


def test_without_the_table_there_is_no_page(lake):
    with pytest.raises(MissingTable, match="data_profile"):
        write_profile_page(lake)
