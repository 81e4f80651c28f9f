"""Items are made while the consumer works, in order, a bounded number ahead; errors come where they belong."""

from __future__ import annotations

import threading
import time
from itertools import count

import pytest

from radia_pipeline.processes.ahead import ahead


def test_all_items_come_in_their_order():
    assert list(ahead((number for number in range(200)), 3)) == list(range(200))
    assert list(ahead((number for number in ()), 1)) == []


def test_no_more_than_the_depth_is_made_ahead():
    made = []

    def items():
        for number in count():
            made.append(number)
            yield number

    found = ahead(items(), 4)
    assert [next(found), next(found)] == [0, 1]
    time.sleep(0.3)
    assert 4 <= len(made) <= 2 + 4 + 1  # taken, waiting, and one in the hand
    found.close()


def test_items_are_made_while_the_consumer_is_busy():
    is_second_made = threading.Event()

    def items():
        yield 1
        is_second_made.set()
        yield 2

    found = ahead(items(), 2)
    assert next(found) == 1
    assert is_second_made.wait(5)
    assert list(found) == [2]


def test_an_error_comes_behind_what_was_made_before_it():
    def items():
        yield 1
        raise KeyError("made")

    found = ahead(items(), 5)
    assert next(found) == 1
    with pytest.raises(KeyError, match="made"):
        next(found)


def test_a_consumer_that_stops_closes_the_source():
    is_closed = threading.Event()

    def items():
        try:
            yield from count()
        finally:
            is_closed.set()

    found = ahead(items(), 2)
    next(found)
    found.close()
    assert is_closed.wait(5)
