"""The README's picture of the graph, drawn from the graph. Here is only where each asset stands."""

from __future__ import annotations

import dagster as dg

from radia_pipeline.drawing.diagram import Box, arrow
from radia_pipeline.drawing.svg import Picture, words

WIDTH_PX, BOX_PX, ROW_PX, COLUMN_PX, TOP_PX = 228, 30, 46, 264, 34
SWATCH_PX = (22, 14)
SPLIT, WHOLE = "s0", "muted"
"""How assets look that are made once for each source, and once for all."""
COLUMNS = (
    ("Ingest", ("images", "duplicates", "quarantine", "reports", "deliveries", "arrivals")),
    ("Labels", ("", "report_mentions", "report_attributes", "unread_sentences", "labels", "label_reviews",
                "box_annotations", "reading_sets")),
    ("Cohort", ("image_links", "splits", "evaluation_sets", "manifest", "data_profile", "", "label_truth")),
    ("Training", ("classifiers/<recipe>",)),
    ("Evaluation", ("predictions/<recipe>", "ensemble", "scorecard", "scorecard_subgroups", "test_predictions",
                    "gate_verdicts", "champion", "predictions_out_of_fold/<recipe>")),
    ("Localisation", ("saliency_benchmark", "pseudo_boxes", "", "", "", "", "", "label_review_queue")),
    ("Detection", ("detector", "detector_scorecard", "", "drift_reference", "film_readouts", "drift_report",
                   "drift_examples", "drift_performance", "shadow_scores", "shadow_differences")),
)  # fmt: skip
"""Each column's assets from the top; an empty name leaves the row to arrows that pass."""


def name_of(key: dg.AssetKey) -> str:
    """Return an asset's name in the picture; all recipes are one box."""
    return f"{key.path[0]}/<recipe>" if len(key.path) > 1 else key.path[0]


def edges_of(graph) -> dict[str, set[str]]:
    """Return each box's direct parents, leaving out those that another parent is made from."""
    parents: dict[str, set[str]] = {}
    for key in graph.get_all_asset_keys():
        name = name_of(key)
        found = {name_of(parent) for parent in graph.get(key).parent_keys} - {name}
        parents[name] = parents.get(name, set()) | found
    above: dict[str, set[str]] = {}

    def ancestors(name: str) -> set[str]:
        if name not in above:
            above[name] = parents[name].union(*(ancestors(parent) for parent in parents[name]))
        return above[name]

    return {
        name: {parent for parent in found if not any(parent in ancestors(other) for other in found - {parent})}
        for name, found in parents.items()
    }


def draw(definitions: dg.Definitions) -> str:
    """Return the picture as SVG; raises ValueError where an asset has no place in it."""
    graph = definitions.resolve_asset_graph()
    is_split = {name_of(key): bool(graph.get(key).partitions_def) for key in graph.get_all_asset_keys()}
    edges = edges_of(graph)
    if homeless := sorted(edges.keys() ^ {name for _, names in COLUMNS for name in names if name}):
        raise ValueError(f"the picture and the graph differ in {', '.join(homeless)}")
    boxes = {
        name: Box(column * COLUMN_PX, TOP_PX + row * ROW_PX, WIDTH_PX, BOX_PX, name, SPLIT if is_split[name] else WHOLE)
        for column, (_, names) in enumerate(COLUMNS)
        for row, name in enumerate(names)
        if name
    }
    parts = [arrow(boxes[parent], boxes[name]) for name in sorted(edges) for parent in sorted(edges[name])]
    parts += [words(column * COLUMN_PX, 20, title, "heading") for column, (title, _) in enumerate(COLUMNS)]
    parts += [box.draw() for box in boxes.values()]
    bottom = TOP_PX + max(len(names) for _, names in COLUMNS) * ROW_PX
    parts += [
        _swatch(0, bottom, SPLIT, "once for each source"),
        _swatch(COLUMN_PX, bottom, WHOLE, "once for all sources"),
    ]
    width = (len(COLUMNS) - 1) * COLUMN_PX + WIDTH_PX
    told = "; ".join(f"{name} from {', '.join(sorted(edges[name]))}" for name in boxes if edges[name])
    picture = Picture(width, bottom + SWATCH_PX[1], "Assets of the RadIA pipeline", "\n".join(parts), told)
    return picture.alone(has_heading=False) + "\n"


def _swatch(x: int, y: int, role: str, text: str) -> str:
    return Box(x, y, *SWATCH_PX, "", role).draw() + words(x + SWATCH_PX[0] + 8, y + 11.5, text, "large")
