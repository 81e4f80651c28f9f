"""Reads a page back: its tags in order, its text, and what it must never hold."""

from __future__ import annotations

import re
from html.parser import HTMLParser

VOID = {"meta", "br", "link", "img", "hr"}


class Outline(HTMLParser):
    """Collects tags and text, and checks that tags close in order."""

    def __init__(self) -> None:
        super().__init__()
        self.open, self.tags, self.text = [], [], []

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if self.open and self.open[-1] not in ("style", "title"):
            self.text.append(data.strip())

    def named(self, name: str) -> list[dict]:
        """Return the attributes of every tag of a name."""
        return [attributes for tag, attributes in self.tags if tag == name]


def outline(page: str) -> Outline:
    """Return a page's outline; fails where tags do not match."""
    parser = Outline()
    parser.feed(page)
    assert parser.open == []
    return parser


def assert_stands_alone(page: str) -> None:
    """Nothing from outside, no script, no pixels, no key of a person; all that a screen reader needs."""
    parsed = outline(page)
    assert not {tag for tag, _ in parsed.tags} & {"script", "img", "image", "iframe", "link", "object", "canvas"}
    for _, attributes in parsed.tags:
        for name in ("src", "href"):
            assert attributes.get(name, "#").startswith("#")
    assert not re.search(r"url\(|http|data:|@import", page)
    assert not re.search(r"\b[0-9a-f]{32}\b", page)
    assert len(parsed.named("caption")) == len(parsed.named("table")) > 1
    assert all(svg.get("aria-label") for svg in parsed.named("svg"))
    assert all("scope" in head for head in parsed.named("th"))
    identities = [attributes["id"] for _, attributes in parsed.tags if "id" in attributes]
    assert len(set(identities)) == len(identities)
    assert {link["href"][1:] for link in parsed.named("a")} <= set(identities)
