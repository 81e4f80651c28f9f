"""Templates to pages: the one environment of jinja, its filters, the style sheet and the versions in every head.

A page is one file: no script, no link to the outside, no pixels, no text of reports and no key of a person; it reads in
light and dark, on paper, on a small screen and by a screen reader. What does not belong here: what a page says.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow.compute as pc

from radia_pipeline import __version__
from radia_pipeline.contracts.vocabulary import vocabulary
from radia_pipeline.drawing import looks
from radia_pipeline.drawing.svg import Picture
from radia_pipeline.lake.lake import Lake

if TYPE_CHECKING:
    from jinja2 import Environment
    from markupsafe import Markup

HERE = Path(__file__).parent
NONE = "–"
SHOWN_DIGITS = 12
"""Of a data version: enough to tell two apart."""


def render(template: str, content: Mapping[str, Any]) -> str:
    """Return the page that a template makes of its content; a name that the content lacks is an error."""
    return _environment().get_template(template).render(**content)


def made_from(lake: Lake, *tables: str) -> list[tuple[str, str]]:
    """Return what a page was made from and by, as (name, version): the package, its words, rules and these tables."""
    rules: set[str] = set()
    for source in lake.partitions("report_attributes"):
        rules |= set(pc.unique(lake.read("report_attributes", source, ["engine_version"]).column(0)).to_pylist())
    found = [("RadIA", __version__), ("vocabulary", vocabulary().version)]
    found += [("report rules", ", ".join(sorted(rules)))] if rules else []
    return found + [(table.replace("_", " "), short_version(lake, table)) for table in tables if lake.exists(table)]


def short_version(lake: Lake, table: str, partition: str = "all") -> str:
    """Return the first digits of a table's data version."""
    return lake.version(table, partition)[:SHOWN_DIGITS]


def percent(value: float | None, digits: int = 1) -> str:
    """Return a share as text; a dash for none."""
    return NONE if value is None else f"{100 * value:.{digits}f} %"


def _environment() -> Environment:
    from jinja2 import Environment, FileSystemLoader, StrictUndefined
    from markupsafe import Markup

    environment = Environment(
        loader=FileSystemLoader(HERE), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters |= {
        "thousands": _thousands,
        "words": _words,
        "percent": percent,
        "drawn": _drawn,
        "coded": _coded,
    }
    environment.globals["style"] = Markup(_style())
    return environment


def _thousands(value: int | None) -> str:
    return NONE if value is None else f"{value:,}"


def _words(value: object) -> str:
    return str(value).replace("_", " ")


def _coded(value: object) -> Markup:
    """Return words as markup, with what stands between two ` as code."""
    from markupsafe import Markup, escape

    parts = str(value).split("`")
    closed = len(parts) % 2 == 1
    return Markup("").join(
        Markup("<code>{}</code>").format(part) if closed and place % 2 else escape(part)
        for place, part in enumerate(parts)
    )


def _drawn(picture: Picture | None, style: str = "") -> Markup:
    """Return a picture as markup, nothing for None; ``drawing`` has escaped its words."""
    from markupsafe import Markup

    return Markup(picture.inline(style) if picture is not None else "")


def _style() -> str:
    """Return the style sheet of every page: the palette of the pictures, their looks, the page's own."""
    text = (HERE / "style.css").read_text(encoding="utf-8")
    light, dark = looks.tokens(looks.LIGHT), looks.tokens(looks.DARK)
    return text.replace("/* light */", light).replace("/* dark */", dark).replace("/* font */", looks.FONT) + (
        looks.PAGE_RULES
    )
