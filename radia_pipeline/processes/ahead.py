"""An iterator that works while its consumer does: items are made in a thread, a bounded number ahead.

For iterators that wait for other processes; nothing is won where both sides compute in Python. Not here: the processes
(``pool``).
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Generator, Iterator
from typing import Any, TypeVar

Item = TypeVar("Item")
_PATIENCE_S = 0.2
"""How soon the thread sees that nobody listens any more."""
_END = object()


def ahead(items: Generator[Item, None, None], depth: int) -> Iterator[Item]:
    """Yield the items in their order, while up to ``depth`` of the next ones are made.

    Raises what making them raises, where it would have been raised. A consumer that stops early closes ``items`` as
    soon as its next item is there.
    """
    ready: queue.Queue[tuple[Any, BaseException | None]] = queue.Queue(maxsize=depth)
    is_over = threading.Event()
    thread = threading.Thread(target=_make, args=(items, ready, is_over), name="ahead", daemon=True)
    thread.start()
    try:
        while True:
            item, error = ready.get()
            if error is not None:
                raise error
            if item is _END:
                return
            yield item
    finally:
        is_over.set()
        thread.join(_PATIENCE_S)


def _make(items: Generator, ready: queue.Queue, is_over: threading.Event) -> None:
    try:
        for item in items:
            if not _put(ready, is_over, (item, None)):
                return
        _put(ready, is_over, (_END, None))
    except BaseException as error:  # whatever it is, it is the consumer's
        _put(ready, is_over, (None, error))
    finally:
        items.close()


def _put(ready: queue.Queue, is_over: threading.Event, what: tuple) -> bool:
    """Put something, as soon as there is room; returns whether anybody listens."""
    while not is_over.is_set():
        try:
            ready.put(what, timeout=_PATIENCE_S)
            return True
        except queue.Full:
            continue
    return False
