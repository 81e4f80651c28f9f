"""Reports of invented studies with what they say, for tests of whatever reads reports."""

from __future__ import annotations

from radia_pipeline.phantom.canvas import generator
from radia_pipeline.phantom.reports import write_report
from radia_pipeline.phantom.signs import drawn


def sample_reports(n: int, seed: int) -> list[tuple[str, dict[str, int]]]:
    """Return ``n`` reports of invented studies with what they say; the first of them do not depend on ``n``."""
    samples = []
    for index in range(n):
        rng = generator(seed, "sample report", index)
        count = int(rng.choice([0, 1, 2, 3, 4], p=[0.25, 0.33, 0.25, 0.12, 0.05]))
        names = rng.permutation(list(drawn()))[:count]
        findings = {str(n): (int(rng.choice([-1, 1])), str(rng.choice(["upper", "middle", "lower"]))) for n in names}
        report = write_report(findings, rng)
        samples.append((report.text, dict(report.said)))
    return samples
