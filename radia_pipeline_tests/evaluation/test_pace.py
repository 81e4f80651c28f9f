"""The pace of two ensembles on a machine that does other things: the fastest turn of each, the same for the same."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from radia_pipeline.evaluation import pace


def turns(seconds: dict[tuple[str, ...], float], busy: float, taken: list) -> dict:
    """Return turns that last as long as they should, times up to ``1 + busy`` for what else the machine does."""
    rng = np.random.default_rng(3)

    def one(key: tuple[str, ...]) -> float:
        taken.append(key)
        return seconds[key] * (1 + busy * rng.random())

    return {key: (lambda key=key: one(key)) for key in seconds}


@pytest.mark.parametrize("busy", [0.0, 4.0])
def test_what_else_the_machine_does_is_not_counted(busy):
    taken: list = []
    found = pace.fastest_turns(turns({("a",): 1.0, ("b",): 1.25}, busy, taken))
    assert found["a",] / found["b",] == pytest.approx(0.8, rel=0.12)
    assert (len(taken) == 2 * (pace.LEAST_TURNS + 1)) == (busy == 0.0)


def test_an_ensemble_has_the_pace_of_its_models_and_is_measured_once(monkeypatch):
    opened: list[str] = []

    def side(folder: str) -> SimpleNamespace:
        return SimpleNamespace(ensemble=SimpleNamespace(used_members=("m",)), folder=lambda _: folder)

    def served(one) -> dict:
        opened.append(one.folder("m"))
        model = SimpleNamespace(input=SimpleNamespace(size_px=8), look=lambda _: None)
        return {"m": model}

    monkeypatch.setattr(pace, "served_models", served)
    first, second = pace.images_per_second([side("one"), side("one")])
    assert first == second and opened == ["one"]
    assert len(pace.images_per_second([side("one"), side("two")])) == 2 and opened == ["one", "one", "two"]
