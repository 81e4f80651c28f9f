"""The data profile as one self-contained HTML page: sources side by side, drawn from ``data_profile`` alone.

Its figures are in ``data_profile_figures``, its words in the template, its looks in ``render``.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from radia_pipeline.cohort.profile import MOST_IMAGES_BIN, SMALL_EFFECT, SURE_P, ProfileResult, build_data_profile
from radia_pipeline.contracts.pools import POOLS
from radia_pipeline.lake import atomic
from radia_pipeline.lake.lake import Lake
from radia_pipeline.pages import data_profile_figures as figures
from radia_pipeline.pages.data_card import write_data_card
from radia_pipeline.pages.data_profile_figures import Figures
from radia_pipeline.pages.render import made_from, render

PAGE = "data_profile.html"
SECTIONS = (
    ("sources", "Sources"),
    ("classes", "Classes"),
    ("labels_per_image", "Pathologies per image"),
    ("images_per_patient", "Images per patient"),
    ("images_per_study", "Images per examination"),
    ("uncertain", "Uncertain"),
    ("pools", "Pools"),
    ("contradictions", "By closure alone"),
    ("correlations", "Correlations"),
    ("shifts", "Shifts"),
)
DISTRIBUTIONS = {
    "labels_per_image": ("images", "pathologies of an image"),
    "images_per_patient": ("patients", "images of a patient"),
    "images_per_study": ("examinations", "images of an examination"),
}
"""Distribution → what is counted, and by what."""
_SHOWN_SHIFTS = 25


def publish_data_profile(lake: Lake) -> ProfileResult:
    """Write ``data_profile`` and, from it, the page and the data card; needs what ``build_data_profile`` needs."""
    result = build_data_profile(lake)
    return replace(result, page=write_profile_page(lake).name, card=write_data_card(lake).name)


def write_profile_page(lake: Lake, path: Path | None = None) -> Path:
    """Write the page (default: ``data_profile.html`` in the lake's root) and return its path.

    Raises MissingTable without ``data_profile``.
    """
    target = Path(path) if path is not None else lake.root / PAGE
    content = _content(Figures(lake.read("data_profile").to_pylist()))
    atomic.write_text(target, render("data_profile.html.j2", {**content, "made_from": made_from(lake, "data_profile")}))
    return target


def _content(found: Figures) -> dict[str, Any]:
    shifts = figures.shifts(found)
    return {
        "title": "Data profile",
        "sections": SECTIONS,
        "tiles": _tiles(found, shifts),
        "sources": figures.sources(found),
        "pool_roles": [(role, pool) for pool, role in figures.POOL_ROLES.items()],
        "class_groups": figures.class_groups(found),
        "value_roles": [(role, figures.VALUE_NAMES[value]) for value, role in figures.VALUE_ROLES.items()],
        "source_heads": [(source, "") for source in found.sources],
        "source_heads_right": [(source, "r") for source in found.sources],
        "pool_heads": [(f"{source} {pool}", "r") for source in found.sources for pool in POOLS],
        **{measure: figures.distributions(found, measure, *words) for measure, words in DISTRIBUTIONS.items()},
        "by_pool": {measure: figures.by_pool(found, measure, *words) for measure, words in DISTRIBUTIONS.items()},
        "effective": figures.effective(found),
        "contradictions": figures.contradictions(found),
        "is_last_bin_open": f"{MOST_IMAGES_BIN:02d}" in found.others("images_per_patient"),
        "ratios": figures.ratios(found),
        "prevalences": figures.prevalences(found),
        "correlations": figures.correlations(found),
        "pool_correlations": figures.correlations_by_pool(found),
        "shifts": shifts,
        "shown_shifts": _SHOWN_SHIFTS,
        "sure_p": SURE_P,
        "small_effect": SMALL_EFFECT,
        "largest_effect": figures.LARGEST_EFFECT,
    }


def _tiles(found: Figures, shifts: list[dict[str, Any]]) -> list[dict[str, str]]:
    images, patients = (sum(found.count(of, source) for source in found.sources) for of in ("images", "patients"))
    real = sum(row["is_shift"] for row in shifts)
    tiles = [
        ("sources", f"{len(found.sources)}", ", ".join(found.sources)),
        ("images", f"{images:,}", "in the manifest"),
        ("patients", f"{patients:,}", "of these images"),
        ("shifts between sources", f"{real}", f"of {len(shifts)} comparisons"),
    ]
    return [{"name": name, "value": value, "note": note} for name, value, note in tiles]
