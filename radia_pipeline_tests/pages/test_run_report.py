"""The page: self-contained, honest, well formed, at every stage of a run; curves behind it are the true ones."""

from __future__ import annotations

import re
from html.parser import HTMLParser

import numpy as np
import pytest
from sklearn import metrics as reference

from radia_pipeline.drawing import svg
from radia_pipeline.evaluation import curves, ensemble, scorecard
from radia_pipeline.lake.lake import Lake
from radia_pipeline.pages.run_report import write_html_report
from radia_pipeline_tests.evaluation.worlds import make_lake, make_panel

VOID = {"meta", "br", "link", "img", "hr"}


class Outline(HTMLParser):
    """Collects tags, checks that they close in order."""

    def __init__(self) -> None:
        super().__init__()
        self.open, self.tags, self.text = [], [], []

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text.append(data)


def outline(page: str) -> Outline:
    parser = Outline()
    parser.feed(page)
    assert parser.open == []
    return parser


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    root = tmp_path_factory.mktemp("lake")
    lake = make_lake(root, {"one": 1.5, "two": 1.2}, studies=160)
    ensemble.build_ensemble(lake, ["one", "two"])
    scorecard.build_scorecard(lake, replicates=40)
    row = {
        "boxes_of": "pseudo boxes",
        "pool": "test",
        "value": 0.31,
        "low": 0.2,
        "high": 0.4,
        "boxes": 90,
        "images": 50,
    }
    control = {**row, "boxes_of": "random", "value": 0.02, "low": 0.0, "high": 0.05}
    extra = {
        "truth": [row, control], "failed": {"detector": "<b>too few boxes</b>"}, "duration_s": 90.0,
        "delivered_path": "/secret/path.dcm",
    }  # fmt: skip
    return lake, write_html_report(lake, root / "report.html", extra).read_text(encoding="utf-8")


def test_the_page_is_well_formed_and_needs_nothing_from_outside(page):
    tags = outline(page[1]).tags
    assert not {tag for tag, _ in tags} & {"script", "img", "iframe", "link"}
    for _, attributes in tags:
        for name in ("src", "href"):
            assert attributes.get(name, "#").startswith("#")
    assert "url(" not in page[1]


def test_every_table_and_picture_has_a_name_for_screen_readers(page):
    parsed = outline(page[1])
    names = [tag for tag, _ in parsed.tags]
    assert names.count("caption") == names.count("table") > 4
    assert all(attributes.get("aria-label") for tag, attributes in parsed.tags if tag == "svg")
    assert all("scope" in attributes for tag, attributes in parsed.tags if tag == "th")
    targets = {attributes["href"][1:] for tag, attributes in parsed.tags if tag == "a"}
    assert targets <= {attributes.get("id") for _, attributes in parsed.tags}


def test_figures_on_the_page_are_those_of_the_scorecard(page):
    lake, text = page
    (row,) = [h for h in scorecard.headlines(lake) if h.model == "ensemble"]
    assert f"{row.auc.value:.2f}" in text
    assert f"{row.auc.low:.2f}–{row.auc.high:.2f}" in text
    assert "mAP@.3, pseudo boxes" in text
    assert "0.20–0.40" in text


def test_no_key_of_a_study_or_patient_and_no_unknown_extra_is_shown(page):
    assert not re.search(r"\b[0-9a-f]{32}\b", page[1])
    assert "secret" not in page[1]


def test_what_failed_is_said_and_escaped(page):
    assert "Not everything ran." in page[1]
    assert "&lt;b&gt;too few boxes&lt;/b&gt;" in page[1]


def test_an_empty_lake_gives_a_page_that_says_so(tmp_path):
    text = write_html_report(Lake.open(tmp_path), tmp_path / "r.html").read_text(encoding="utf-8")
    outline(text)
    assert "No scorecard has been made yet." in text
    assert "No source has been ingested yet." in text


def test_the_same_lake_gives_the_same_page(page, tmp_path):
    first, second = (write_html_report(page[0], tmp_path / name).read_bytes() for name in ("a.html", "b.html"))
    assert first == second


@pytest.mark.parametrize("levels", [None, 4])
def test_roc_and_precision_recall_equal_scikit_learn(levels):
    panel = make_panel(1.0)
    p, y = panel.probability[:, 0], panel.label[:, 0]
    p = np.round(p * levels) / levels if levels else p
    kept = y >= 0
    x, tpr = curves.roc_points(p, y)
    fpr, expected, _ = reference.roc_curve(y[kept], p[kept], drop_intermediate=False)
    assert np.allclose(x, fpr)
    assert np.allclose(tpr, expected)
    recall, precision = curves.precision_recall_points(p, y)
    other_precision, other_recall, _ = reference.precision_recall_curve(y[kept], p[kept])
    assert np.allclose(precision, other_precision[:-1][::-1])
    assert np.allclose(recall, other_recall[:-1][::-1])


def test_reliability_counts_every_study_once():
    panel = make_panel(1.0)
    p, y = panel.probability[:, 0], panel.label[:, 0]
    mean, share, count = curves.reliability_points(p, y)
    assert count.sum() == (y >= 0).sum()
    assert (share * count).sum() == pytest.approx((y == 1).sum())
    assert (mean * count).sum() == pytest.approx(p[y >= 0].sum())


def test_thinning_keeps_ends_and_leaves_short_curves_alone():
    x = np.linspace(0, 1, 5000)
    thin, _ = curves.thinned(x, x)
    assert len(thin) <= 162
    assert (thin[0], thin[-1]) == (0, 1)
    assert curves.thinned(x[:9], x[:9])[0] is not None
    assert len(curves.thinned(x[:9], x[:9])[0]) == 9


def test_pictures_escape_their_titles_and_stay_on_their_axis():
    picture = svg.whisker(1.7, -3.0, 9.0, start=0.0, stop=1.0, width=100)
    places = [float(v) for v in re.findall(r'cx="([\d.]+)"', picture)]
    assert places == [95.0]
    outline(svg.stacked_bar([("<a>&", 3), ("b", 1)]))
    assert svg.whisker(None, None, None) == ""
