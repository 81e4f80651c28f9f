"""The README's picture of the graph, drawn from the graph: ``python -m radia_pipeline.defs.picture FILE``."""

import sys
from html import escape
from pathlib import Path

import dagster as dg

WIDTH_PX, BOX_PX, ROW_PX, COLUMN_PX, TOP_PX = 168, 30, 46, 214, 74
COLUMNS = (
    ("Ingest", ("images", "quarantine", "duplicates", "reports")),
    (
        "Labels",
        ("label_reviews", "report_mentions", "report_attributes", "unread_sentences", "labels", "box_annotations"),
    ),
    ("Cohort", ("image_links", "splits", "evaluation_sets", "manifest", "data_profile")),
    ("Training", ("classifiers/<recipe>",)),
    ("Evaluation", ("predictions/<recipe>", "ensemble", "scorecard")),
    ("Localisation", ("saliency_benchmark", "pseudo_boxes")),
    ("Detection", ("detector", "detector_scorecard")),
)


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
    place = {
        name: (24 + column * COLUMN_PX, TOP_PX + row * ROW_PX)
        for column, (_, names) in enumerate(COLUMNS)
        for row, name in enumerate(names)
    }
    edges = edges_of(graph)
    if homeless := sorted(edges.keys() ^ place.keys()):
        raise ValueError(f"the picture and the graph differ in {', '.join(homeless)}")
    is_split = {name_of(key): bool(graph.get(key).partitions_def) for key in graph.get_all_asset_keys()}
    width, height = 24 * 2 + (len(COLUMNS) - 1) * COLUMN_PX + WIDTH_PX, TOP_PX + 5 * ROW_PX + 44
    parts = [_head(width, height)]
    parts += [_edge(place[parent], place[name]) for name in sorted(edges) for parent in sorted(edges[name])]
    parts += [
        f'<text class="group" x="{24 + column * COLUMN_PX}" y="46">{escape(title)}</text>'
        for column, (title, _) in enumerate(COLUMNS)
    ]
    parts += [_box(name, *place[name], is_split[name]) for name in place]
    legend = height - 22
    parts += [_swatch(24, legend, True, "once for each source"), _swatch(204, legend, False, "once for all sources")]
    return "\n".join([*parts, "</svg>"]) + "\n"


def _head(width: int, height: int) -> str:
    style = (
        "text{font:13px system-ui,sans-serif;fill:#1f2933}.group{font-weight:600;font-size:15px}"
        ".split{fill:#d0ebff;stroke:#1971c2}.whole{fill:#eef1f4;stroke:#7b8794}"
        "path{fill:none;stroke:#9aa5b1;stroke-width:1.4}rect.sheet{fill:#ffffff}"
    )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" role="img" '
        f'aria-label="Assets of the RadIA pipeline">\n<style>{style}</style>\n'
        '<defs><marker id="tip" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" orient="auto">'
        '<path d="M0 0L8 4L0 8z" style="fill:#9aa5b1;stroke:none"/></marker></defs>\n'
        f'<rect class="sheet" width="{width}" height="{height}" rx="10"/>'
    )


def _box(name: str, x: int, y: int, is_split: bool) -> str:
    kind = "split" if is_split else "whole"
    return (
        f'<rect class="{kind}" x="{x}" y="{y}" width="{WIDTH_PX}" height="{BOX_PX}" rx="6"/>'
        f'<text x="{x + 10}" y="{y + 20}">{escape(name)}</text>'
    )


def _edge(start: tuple[int, int], end: tuple[int, int]) -> str:
    (x1, y1), (x2, y2) = start, end
    if x1 == x2:
        down = y2 > y1
        a, b = (y1 + BOX_PX, y2 - 2) if down else (y1, y2 + BOX_PX + 2)
        if abs(y2 - y1) == ROW_PX:
            return f'<path marker-end="url(#tip)" d="M{x1 + 24} {a}L{x2 + 24} {b}"/>'
        side = x1 - 14
        return (
            f'<path marker-end="url(#tip)" d="M{x1} {y1 + 15}C{side} {y1 + 15} {side} {y2 + 15} {x2 - 2} {y2 + 15}"/>'
        )
    a, b = x1 + WIDTH_PX, x2 - 2
    bend = max(24, (b - a) / 2)
    curve = f"M{a} {y1 + 15}C{a + bend:.0f} {y1 + 15} {b - bend:.0f} {y2 + 15} {b} {y2 + 15}"
    return f'<path marker-end="url(#tip)" d="{curve}"/>'


def _swatch(x: int, y: int, is_split: bool, text: str) -> str:
    kind = "split" if is_split else "whole"
    box = f'<rect class="{kind}" x="{x}" y="{y - 11}" width="22" height="14" rx="3"/>'
    return box + f'<text x="{x + 30}" y="{y}">{text}</text>'


if __name__ == "__main__":
    from radia_pipeline.defs.build import build_defs

    Path(sys.argv[1]).write_text(draw(build_defs(recipes=("demo_linear", "demo_pcam"))), encoding="utf-8")
