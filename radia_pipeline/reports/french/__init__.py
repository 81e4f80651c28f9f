"""Everything of the reports that is French: what is named, how it is said, titles, single words, inflexion.

Belongs here: words, in files that a radiologist can review. Does not belong here: what they do to a sentence.
"""

from __future__ import annotations

from pathlib import Path

from radia_pipeline.reports.french.inflexion import plurals, stem
from radia_pipeline.reports.language import Language

FRENCH = Language(Path(__file__).parent, stem, plurals, published={"5b9703704e85": "785fd77b842c"})
