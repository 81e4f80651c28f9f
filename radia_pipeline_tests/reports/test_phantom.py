"""The phantom's reports, whose truth is known, are read without a mistake."""

from __future__ import annotations

from radia_pipeline.reports.engine import Labeler
from radia_pipeline_tests.phantom.samples import sample_reports


def test_phantom_reports_say_what_the_phantom_meant():
    read = Labeler.default().read
    wrong = [(want, read(text).labels) for text, want in sample_reports(3000, seed=11) if read(text).labels != want]
    assert wrong == []
