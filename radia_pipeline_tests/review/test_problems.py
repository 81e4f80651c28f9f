"""Errors of the server: a closed list of codes, which the documentation names."""

from __future__ import annotations

import re
from pathlib import Path

from radia_pipeline.review.problems import KINDS, Problem

PAGE = Path(__file__).resolve().parents[2] / "docs" / "page_routes.md"


def test_the_documentation_names_every_code_and_no_other():
    section = PAGE.read_text(encoding="utf-8").split("## Errors")[1].split("\n## ")[0]
    rows = [line for line in section.splitlines() if re.match(r"\| [0-9]", line)]
    named = {code for row in rows for code in re.findall(r"`([a-z_]+)`", row.split("|", 2)[2])}
    assert set(KINDS) <= named
    assert named - set(KINDS) <= {"sequence", "decided_at", "answer", "reason", "means", "do", "detail"}


def test_a_problem_says_status_code_and_request():
    problem = Problem("already_read", sequence=42)
    assert problem.body("r1") == {
        "type": "about:blank",
        "status": 409,
        "code": "already_read",
        "title": KINDS["already_read"].title,
        "request_id": "r1",
        "sequence": 42,
    }
