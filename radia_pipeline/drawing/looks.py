"""Colours and the style sheet of pictures: one palette that colour-blind people can tell apart, for light and dark.

The series are those of Okabe and Ito (2008), lightened on dark paper; every series also has a shape of its own in
``marks``, so that colour is never the only sign. What does not belong here: which series means what.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

LIGHT = {
    "paper": "#ffffff",
    "ink": "#1b2631",
    "soft": "#566370",
    "line": "#c9d1d8",
    "hair": "#e6eaee",
    "rest": "#eceff2",
    "muted": "#87929d",
    "s0": "#0069a8",
    "s1": "#d55e00",
    "s2": "#00855f",
    "s3": "#b8588f",
    "s4": "#56b4e9",
    "s5": "#e2a100",
}
DARK = {
    "paper": "#161d23",
    "ink": "#e6ebef",
    "soft": "#a1aeb9",
    "line": "#3a4650",
    "hair": "#28323a",
    "rest": "#2a343d",
    "muted": "#7f8b96",
    "s0": "#55b0ea",
    "s1": "#f18a4f",
    "s2": "#35c49b",
    "s3": "#e296c2",
    "s4": "#a8d8f8",
    "s5": "#f0bd45",
}
SERIES = ("s0", "s1", "s2", "s3", "s4", "s5")
ROLES = (*SERIES, "muted", "rest")
"""What a mark may be: one of the series, something beside them, or what is left over."""
FONT = '"Inter","Segoe UI",system-ui,-apple-system,"Helvetica Neue",Arial,sans-serif'


def series_role(place: int) -> str:
    """Return the role of a series by its place; past the last colour they begin again."""
    return SERIES[place % len(SERIES)]


def tokens(colours: Mapping[str, str]) -> str:
    """Return the palette as custom properties of CSS."""
    return "".join(f"--{name}:{colour};" for name, colour in colours.items())


def _sheet(colour: Callable[[str], str], within: str = "") -> str:
    """Return the style sheet with every selector below ``within``."""
    rules = _rules(colour) + [rule for role in ROLES for rule in _role_rules(role, colour(role))]
    return "".join(
        ",".join(f"{within}{selector}" for selector in selectors) + f"{{{looks}}}" for selectors, looks in rules
    )


def _rules(colour: Callable[[str], str]) -> list[tuple[tuple[str, ...], str]]:
    ink, soft, line, hair, paper = (colour(name) for name in ("ink", "soft", "line", "hair", "paper"))
    return [
        (("text",), f"font:11px {FONT};fill:{ink}"),
        (("text.soft",), f"fill:{soft}"),
        (("text.small",), "font-size:10px"),
        (("text.large",), "font-size:13px"),
        (("text.heading",), "font-size:13px;font-weight:600"),
        (("text.end",), "text-anchor:end"),
        (("text.middle",), "text-anchor:middle"),
        ((".axis",), f"fill:none;stroke:{line}"),
        ((".grid",), f"fill:none;stroke:{hair}"),
        ((".guide",), f"fill:none;stroke:{soft};stroke-dasharray:2 3"),
        ((".track",), f"fill:none;stroke:{hair};stroke-width:5;stroke-linecap:round"),
        ((".sheet",), f"fill:{paper}"),
        ((".curve",), "fill:none;stroke-width:2;stroke-linejoin:round"),
        ((".dashed",), "stroke-dasharray:5 3;stroke-width:1.6"),
        ((".range",), "fill:none;stroke-width:5;stroke-linecap:round;stroke-opacity:.38"),
        ((".band",), "fill-opacity:.16"),
        ((".box",), "fill-opacity:.13"),
        ((".bar", ".mark"), f"stroke:{paper};stroke-width:.7"),
        ((".arrow",), f"fill:none;stroke:{colour('muted')};stroke-width:1.4"),
        ((".tip",), f"fill:{colour('muted')}"),
    ]


def _role_rules(role: str, colour: str) -> list[tuple[tuple[str, ...], str]]:
    drawn, filled = ("curve", "range", "box"), ("mark", "bar", "band", "cell", "box")
    return [
        (tuple(f".{kind}.{role}" for kind in drawn), f"stroke:{colour}"),
        (tuple(f".{kind}.{role}" for kind in filled), f"fill:{colour}"),
    ]


PAGE_RULES = _sheet(lambda name: f"var(--{name})", ".drawing ")
"""For a page that defines ``tokens``; reaches nothing of the page but pictures."""
ALONE_RULES = _sheet(LIGHT.__getitem__)
"""For a picture that stands alone."""
