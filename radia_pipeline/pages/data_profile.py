"""The data profile as one self-contained HTML page: sources side by side, drawn from ``data_profile`` alone.

No scripts, no outside resources, no pixels. The pieces are in ``profile_figures``.
"""

from __future__ import annotations

from dataclasses import replace
from html import escape
from pathlib import Path

from radia_pipeline.cohort.profile import MOST_IMAGES_BIN, SMALL_EFFECT, SURE_P, ProfileResult, build_data_profile
from radia_pipeline.contracts.pools import POOLS
from radia_pipeline.contracts.sheets import source_sheet
from radia_pipeline.contracts.vocabulary import vocabulary
from radia_pipeline.lake import atomic
from radia_pipeline.lake.lake import Lake
from radia_pipeline.pages.data_profile_figures import (
    Figures,
    correlation_map,
    effect_bar,
    histogram,
    percent,
    pools_bar,
    ratio_cell,
    table,
    value_cell,
)

PAGE = "data_profile.html"
_SHOWN_SHIFTS = 25
_WORDS = {"prevalence": "prevalence of", "frontal": "share of frontal images", "female": "share of women", "age": "age"}
_STYLE = """
:root{--ink:#1f2933;--soft:#66727f;--line:#e1e5ea;--paper:#fff;--positives:#b3452c;--uncertain:#e0a63a;--negatives:#8fb3cc;
--rest:#eef1f4;--train:#31688e;--validation:#7fb069;--test:#e0a63a;--blue:#31688e;color-scheme:light dark}
@media(prefers-color-scheme:dark){:root{--ink:#e4e7eb;--soft:#9aa5b1;--line:#323a44;--paper:#15191e;--negatives:#4c7391;
--rest:#262d35;--blue:#6fa8d0}}
body{font:14px/1.5 system-ui,sans-serif;max-width:1240px;margin:2rem auto;padding:0 1.2rem;color:var(--ink);
background:var(--paper)}h1{font-size:1.7rem;margin:0}h2{font-size:1.15rem;margin:2.4rem 0 .3rem}
p{margin:.2rem 0 .8rem;color:var(--soft);max-width:75ch}.scroll{overflow-x:auto}table{border-collapse:collapse}
th{font-weight:600;font-size:12px;color:var(--soft)}td,th{padding:.22rem .55rem;text-align:left;white-space:nowrap;
border-bottom:1px solid var(--line)}td:first-child,th:first-child{padding-left:0}.numbers td:not(:first-child){
font-variant-numeric:tabular-nums}.group td{padding-top:.9rem;color:var(--soft);font-size:12px}
.cell{display:flex;gap:.5rem;align-items:center}.number{min-width:3.2rem;font-variant-numeric:tabular-nums}
.none{color:var(--soft);font-size:12px}.heat{display:inline-block;min-width:3.4rem;padding:0 .4rem;border-radius:3px;
text-align:right}.bar rect.rest{fill:var(--rest)}.positives{fill:var(--positives)}.uncertain{fill:var(--uncertain)}
.negatives{fill:var(--negatives)}.train{fill:var(--train)}.validation{fill:var(--validation)}.test{fill:var(--test)}
.key{display:flex;gap:1.2rem;font-size:12px;color:var(--soft);margin:.2rem 0 .6rem}
.key i{display:inline-block;width:.8em;height:.8em;border-radius:2px;margin-right:.4em}
.grid{display:grid;gap:1rem 1.4rem;grid-template-columns:repeat(auto-fill,minmax(var(--least),1fr))}
figure{margin:0}figcaption{font-weight:600;font-size:13px}
svg text{font:11px system-ui,sans-serif;fill:var(--ink);text-anchor:middle}svg text.tick{fill:var(--soft)}
svg text.name{text-anchor:end;font-size:10.5px}svg text.start{text-anchor:start}.count{fill:var(--blue)}
.plus{fill:var(--positives)}.minus{fill:var(--blue)}.empty{fill:var(--rest)}.axis{stroke:var(--soft)}
.shifted{fill:var(--positives)}.quiet{fill:var(--negatives)}.note{font-size:12px;margin:.1rem 0}
.facts{display:flex;gap:2.2rem;margin:1rem 0 0}.facts b{display:block;font-size:1.35rem;color:var(--ink)}
.facts span{color:var(--soft);font-size:12px}summary{cursor:pointer;color:var(--blue);margin:.6rem 0}
"""


def publish_data_profile(lake: Lake) -> ProfileResult:
    """Write ``data_profile`` and, from it, the page; needs what ``build_data_profile`` needs."""
    result = build_data_profile(lake)
    return replace(result, page=write_profile_page(lake).name)


def write_profile_page(lake: Lake, path: Path | None = None) -> Path:
    """Write the page (default: ``data_profile.html`` in the lake's root) and return its path.

    Raises MissingTable without ``data_profile``.
    """
    target = Path(path) if path is not None else lake.root / PAGE
    figures = Figures(lake.read("data_profile").to_pylist())
    sections = [_head(figures, lake), _overview(figures), _classes(figures), _distributions(figures),
                _uncertainty(figures), _pools(figures), _correlations(figures), _shifts(figures)]  # fmt: skip
    page = (
        "<!doctype html><html lang='en'><head><meta charset='utf-8'><meta name='viewport' content='width=device-width'>"
        f"<title>RadIA data profile</title><style>{_STYLE}</style></head><body>{''.join(sections)}</body></html>\n"
    )
    atomic.write_text(target, page)
    return target


def _section(title: str, words: str, body: str) -> str:
    return f"<h2>{escape(title)}</h2><p>{words}</p>{body}"


def _key(*entries: tuple[str, str]) -> str:
    items = "".join(
        f"<span><i style='background:var(--{colour})'></i>{escape(words)}</span>" for colour, words in entries
    )
    return f"<div class='key'>{items}</div>"


def _head(figures: Figures, lake: Lake) -> str:
    shifts = sum(_is_shift(effect, p) for *_, effect, p in figures.effects())
    facts = {
        "sources": str(len(figures.sources)),
        "images": f"{sum(figures.count('images', source) for source in figures.sources):,}",
        "patients": f"{sum(figures.count('patients', source) for source in figures.sources):,}",
        "shifts between sources": f"{shifts} of {len(figures.effects())}",
    }
    shown = "".join(f"<span><b>{escape(value)}</b>{escape(name)}</span>" for name, value in facts.items())
    made_from = f"vocabulary {escape(vocabulary().version)}, data version {lake.version('data_profile')[:12]}"
    return (
        f"<h1>Data profile</h1><p>Images of the manifest, those that a late link excludes aside; {made_from}.</p>"
        f"<div class='facts'>{shown}</div>"
    )


def _overview(figures: Figures) -> str:
    rows = []
    for source in figures.sources:
        images, patients = figures.count("images", source), figures.count("patients", source)
        counts = [f"{figures.count('images', source, None, pool):,}" for pool in POOLS]
        rows.append(
            [source, source_sheet(source).title.split(" (")[0], f"{images:,}", f"{patients:,}",
             f"{images / max(1, patients):.2f}", pools_bar(figures, source), *counts]
        )  # fmt: skip
    header = ["source", "dataset", "images", "patients", "per patient", "pools", *POOLS]
    key = _key(*((pool, pool) for pool in POOLS))
    return _section("Sources", "What is there, and in which pool.", key + table(header, rows, "numbers"))


def _classes(figures: Figures) -> str:
    words = vocabulary()
    groups = {"Pathologies": words.pathologies, "Groups that reports name": words.finding_groups,
              "Unions of their children": words.unions, "Nothing found": (words.no_finding,)}  # fmt: skip
    rows: list[list[str]] = []
    for title, names in groups.items():
        rows.append([f"<span class='none'>{escape(title)}</span>", *[""] * len(figures.sources)])
        rows += [[name, *(value_cell(figures, source, name) for source in figures.sources)] for name in names]
    key = _key(("positives", "positive"), ("uncertain", "uncertain"), ("negatives", "negative"), ("rest", "not stated"))
    text = "Share of each source's images; the number is the share of positives. * only through classes below it."
    return _section("Classes, sources side by side", text, key + table(["class", *figures.sources], rows))


def _distributions(figures: Figures) -> str:
    parts = []
    for title, measure, words in (
        ("Pathologies per image", "labels_per_image", "pathologies (positive or uncertain)"),
        ("Images per patient", "images_per_patient", "images"),
    ):
        drawn = "".join(histogram(figures, source, measure, words) for source in figures.sources)
        text = f"Per cent of {'images' if measure == 'labels_per_image' else 'patients'} by number of {words}."
        if measure == "images_per_patient" and f"{MOST_IMAGES_BIN:02d}" in figures.others(measure):
            text += " The last bar holds all above."
        parts.append(_section(title, text, f"<div class='grid' style='--least:330px'>{drawn}</div>"))
    return "".join(parts)


def _uncertainty(figures: Figures) -> str:
    rows = []
    for name in vocabulary().classes:
        ratios = [figures.get("uncertain_to_positive", source, name) for source in figures.sources]
        if any(ratio is not None for ratio in ratios):
            rows.append([name, *map(ratio_cell, ratios)])
    text = "How many images a source calls uncertain for each hundred that it calls positive."
    return _section("Uncertain to positive", text, table(["class", *figures.sources], rows, "numbers"))


def _pools(figures: Figures) -> str:
    rows = [
        [name, *("<span class='none'>–</span>" if value is None else percent(value, 1)
                 for source in figures.sources
                 for value in (figures.get("positives", source, name, pool) for pool in POOLS))]
        for name in vocabulary().classes
    ]  # fmt: skip
    header = ["class", *(f"{source} {pool}" for source in figures.sources for pool in POOLS)]
    inner = table(header, rows, "numbers")
    text = "Pools are drawn by hash, or follow the publishers' lists where the lake respects them; nothing is balanced."
    return _section("Prevalence by pool", text, f"<details><summary>Show the table</summary>{inner}</details>")


def _correlations(figures: Figures) -> str:
    maps = "".join(correlation_map(figures, source) for source in figures.sources)
    text = "Over images, uncertain counted as positive. Red: together; blue: one without the other; grey: constant."
    return _section("Correlation between classes", text, f"<div class='grid' style='--least:470px'>{maps}</div>")


def _is_shift(effect: float, p: float | None) -> bool:
    return p is not None and p < SURE_P and abs(effect) >= SMALL_EFFECT


def _shifts(figures: Figures) -> str:
    """Return the tests between sources, strongest first; a shift is both sure and not small."""
    effects = figures.effects()
    text = (
        "One image per patient. Effect: Cohen's h for shares, the Kolmogorov–Smirnov distance for ages; p adjusted "
        f"(Benjamini–Hochberg). A shift (red): p &lt; {SURE_P} and an effect of at least {SMALL_EFFECT}; to the right, "
        "the first source has more."
    )
    if not effects:
        return _section("Shifts between sources", text, "<p>One source only: nothing to compare.</p>")
    rows = []
    for of, source, other, name, effect, p in effects:
        is_shift = _is_shift(effect, p)
        what = f"{_WORDS.get(of, of)} {name or ''}".strip()
        sure = "–" if p is None else "< 0.001" if p < 0.001 else f"{p:.3f}"
        rows.append(
            [what, f"{source} – {other}", effect_bar(effect, is_shift=is_shift), f"{effect:+.2f}", sure,
             "shift" if is_shift else ""]
        )  # fmt: skip
    header = ["measure", "sources", "effect", "", "p", ""]
    shown, rest = rows[:_SHOWN_SHIFTS], rows[_SHOWN_SHIFTS:]
    body = table(header, shown, "numbers")
    if rest:
        body += (
            f"<details><summary>The other {len(rest)} comparisons</summary>{table(header, rest, 'numbers')}</details>"
        )
    return _section("Shifts between sources", text, body)
