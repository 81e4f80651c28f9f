"""Progress and words for people on standard error; standard output stays for results."""

from __future__ import annotations

import sys
import time
from typing import TextIO

LINE_EVERY_S = 15.0
BAR_CHARACTERS = 28


class Progress:
    """Progress on standard error: a bar in a terminal, a line every fifteen seconds elsewhere."""

    def __init__(self, stream: TextIO | None = None) -> None:
        self._stream = stream or sys.stderr
        self._is_terminal = self._stream.isatty()
        self._started: dict[str, float] = {}
        self._last_s = time.monotonic()
        self._is_open = False

    def __call__(self, what: str, done: int, total: int) -> None:
        """Show that ``done`` of ``total`` are finished."""
        now = time.monotonic()
        if what not in self._started:
            self._started[what] = self._last_s = now
            if not self._is_terminal:
                return
        started = self._started[what]
        is_end = done >= total
        if not is_end and now - self._last_s < (0.1 if self._is_terminal else LINE_EVERY_S):
            return
        if is_end and not self._is_terminal and now - started < LINE_EVERY_S:
            return
        self._last_s = now
        rate = done / max(now - started, 1e-6)
        left = f"{(total - done) / rate:.0f} s left" if rate > 0 and not is_end else f"{now - started:.0f} s"
        text = f"{what}: {done} of {total}, {rate:.1f}/s, {left}"
        if self._is_terminal:
            filled = int(BAR_CHARACTERS * done / max(total, 1))
            bar = "█" * filled + "░" * (BAR_CHARACTERS - filled)
            self._stream.write(f"\r\033[K  {bar} {text}" + ("\n" if is_end else ""))
            self._is_open = not is_end
        else:
            self._stream.write(f"  {text}\n")
        self._stream.flush()

    def close(self) -> None:
        """End an unfinished bar's line."""
        if self._is_open:
            self._stream.write("\n")
            self._is_open = False


def say(text: str = "") -> None:
    """Write one line for people on standard error, so that standard output stays for results."""
    sys.stderr.write(text + "\n")
    sys.stderr.flush()
