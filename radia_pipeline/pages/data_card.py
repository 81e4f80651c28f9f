"""The data card: what a lake's data is for, where it comes from, under which terms, and what is known to be wrong with
it. Facts of the sources' sheets and of ``data_profile``; nothing is written by hand.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from radia_pipeline.contracts.pools import POOLS
from radia_pipeline.contracts.sheets import source_sheet
from radia_pipeline.contracts.vocabulary import vocabulary
from radia_pipeline.lake import atomic
from radia_pipeline.lake.lake import Lake
from radia_pipeline.pages.data_profile_figures import Figures
from radia_pipeline.pages.render import made_from, render

PAGE = "data_card.html"
SECTIONS = (("use", "Use"), ("sources", "Sources"), ("said", "Who said it"), ("defects", "Known defects"))
_WORDS = {
    "rules": "rules over reports",
    "table": "the publisher's table",
    "expert": "radiologists",
    "carried": "an earlier report",
    "review": "readings here",
    "closure": "closure alone",
    "contradiction": "closure against a stated 0",
    "no_finding": "No Finding",
    "none": "nobody",
}


def write_data_card(lake: Lake, path: Path | None = None) -> Path:
    """Write the card (default: ``data_card.html`` in the lake's root) and return its path; needs ``data_profile``."""
    target = Path(path) if path is not None else lake.root / PAGE
    found = Figures(lake.read("data_profile").to_pylist())
    content: dict[str, Any] = {"title": "Data card", "sections": SECTIONS, "made_from": made_from(lake, "data_profile")}
    cards = [_card(found, source) for source in found.sources]
    sums = [(name, sum(card[name] for card in cards)) for name in ("images", "patients", "held")]
    notes = {
        "images": "in the manifest, held ones aside",
        "patients": "of these images",
        "held": "images that experts read",
    }
    content["tiles"] = [{"name": name, "value": f"{count:,}", "note": notes[name]} for name, count in sums]
    facts = {"vocabulary": vocabulary().version, "classes": len(vocabulary().classes), "cards": cards}
    atomic.write_text(target, render("data_card.html.j2", {**content, **facts}))
    return target


def _card(found: Figures, source: str) -> Mapping[str, Any]:
    sheet = source_sheet(source)
    names = [
        name for name in found.others("origin") if any(found.count("origin", source, c, name) for c in sheet.labels)
    ]
    cells = {name: sum(found.count("origin", source, c, name) for c in sheet.labels) for name in names}
    whole = sum(cells.values()) or 1
    return {
        "source": source,
        "title": sheet.title,
        "licence": sheet.licence,
        "citation": sheet.citation,
        "images": found.count("images", source),
        "patients": found.count("patients", source),
        "effective": round(found.get("effective_patients", source) or 0),
        "pools": [(pool, found.count("images", source, None, pool)) for pool in POOLS],
        "held": found.count("held_images", source),
        "held_splits": ", ".join(sheet.held_splits) or "none",
        "labels": len(sheet.labels),
        "origins": [(_WORDS[name], count / whole) for name, count in cells.items()],
        "contradictions": cells.get("contradiction", 0),
        "defects": sheet.known_defects,
        "deidentification": sheet.deidentification,
        "devices": [
            (name, found.count("device", source, None, name))
            for name in found.others("device")
            if found.count("device", source, None, name)
        ],
    }
