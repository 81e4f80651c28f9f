"""The page in a browser as one reader sees it: on the real server, with every byte that came and every complaint kept.

Here: opening pages, waiting for what people wait for, counting what they press. Not here: what should come of it.
"""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

PATIENCE_MS = 90_000
"""A busy machine may take that long to paint a first film; what is waited for comes at once on a quiet one."""
WATCH = """
window.violations = [];
document.addEventListener("securitypolicyviolation", (event) => violations.push(event.violatedDirective));
"""


@dataclass
class Seat:
    """One reader at one tab. ``heard``: (address, body) of what came; ``complaints``: errors; ``presses``: counted."""

    page: Any
    address: str
    heard: list[tuple[str, bytes]] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)
    presses: int = 0

    def open(self, place: str = "") -> Seat:
        """Go to a place of the page, as ``#read/LIST/reader``."""
        self.page.goto(f"{self.address}/{place}")
        return self

    def press(self, *keys: str) -> Seat:
        """Press keys, and count them."""
        for key in keys:
            self.page.keyboard.press(key)
            self.presses += 1
        return self

    def counted(self) -> int:
        """Return how many keys were pressed since this was asked last."""
        counted, self.presses = self.presses, 0
        return counted

    def ready(self) -> Seat:
        """Wait until an answer may be accepted."""
        self.page.wait_for_selector(".accept:enabled", timeout=PATIENCE_MS)
        return self

    def turn(self, number: int) -> Seat:
        """Wait until a list's turn with this number may be answered."""
        self.page.wait_for_function(
            "(n) => document.querySelector('#where h1')?.textContent.match(/\\d+/)?.[0] === String(n)"
            " && document.querySelector('.accept:enabled')",
            arg=number,
            timeout=PATIENCE_MS,
        )
        return self

    def says(self, selector: str) -> str:
        """Return the words of an element that is there."""
        return self.page.wait_for_selector(selector, timeout=PATIENCE_MS).inner_text()

    def sound(self) -> None:
        """Fail where the page broke its policy or a script of it failed."""
        assert self.page.evaluate("() => violations") == []
        assert self.complaints == []


@contextmanager
def seat(browser, port: int, user: str = "reader-a", *, language: str = "en", size=(1280, 800), **context: Any):
    """Yield a reader's tab in a browser of its own."""
    with place(browser, port, user, language=language, size=size, **context) as tabs:
        yield tabs()


@contextmanager
def place(browser, port: int, user: str = "reader-a", *, language: str = "en", size=(1280, 800), **context: Any):
    """Yield a function that opens a tab of one reader's browser."""
    told = {"width": size[0], "height": size[1]}
    made = browser.new_context(viewport=told, locale=language, extra_http_headers={"X-Remote-User": user}, **context)
    made.add_init_script(WATCH)

    def tab() -> Seat:
        found = Seat(made.new_page(), f"http://127.0.0.1:{port}")
        found.page.set_default_timeout(PATIENCE_MS)
        found.page.on("pageerror", lambda error: found.complaints.append(str(error)))
        found.page.on("response", lambda response: _hear(found, response))
        return found

    yield tab
    made.close()


def _hear(found: Seat, response: Any) -> None:
    try:
        found.heard.append((response.url, response.body()))
    except Exception as error:  # a request that was stopped on purpose has no body
        found.heard.append((response.url, repr(error).encode()))
