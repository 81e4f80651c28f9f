"""The three pages of evaluation, written together into the lake: scorecard, champion, comparison. What is on them: not
here.
"""

from __future__ import annotations

from pathlib import Path

from radia_pipeline.lake.lake import Lake
from radia_pipeline.pages.champion import write_champion_page
from radia_pipeline.pages.comparison import write_comparison_page
from radia_pipeline.pages.scorecard import write_scorecard_page

SCORECARD, CHAMPION, COMPARISON = "scorecard.html", "champion.html", "comparison.html"


def write_evaluation_pages(lake: Lake) -> Path:
    """Write them and return the scorecard's path."""
    root = lake.root.absolute()
    write_champion_page(lake, root / CHAMPION)
    write_comparison_page(lake, root / COMPARISON)
    return write_scorecard_page(lake, root / SCORECARD)
