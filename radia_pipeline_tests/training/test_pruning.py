"""Rules by which trials of a sweep end early, on curves that are written down."""

from __future__ import annotations

import pytest

from radia_pipeline.errors import UnknownName
from radia_pipeline.training.pruning import RULES, Curve, Moment, rungs


def test_a_curve_knows_its_best_only_where_it_has_come_so_far():
    under_way = Curve({0: 0.5, 1: 0.7, 2: 0.6}, is_whole=False)
    assert [under_way.best_after(epochs) for epochs in (1, 2, 3, 4)] == [0.5, 0.7, 0.7, None]
    assert Curve({0: 0.5, 1: 0.7}, is_whole=True).best_after(9) == 0.7, "it stopped by itself: that was its best"
    assert Curve({1: 0.7}, is_whole=False).best_after(2) is None, "an epoch is missing"
    assert Curve({}, is_whole=True).best_after(1) is None


@pytest.mark.parametrize(
    ("own", "peers", "ended"),
    [(0.60, (0.5, 0.7, 0.7, 0.8), True), (0.70, (0.5, 0.7, 0.7, 0.8), False), (0.1, (0.5, 0.7, 0.7), False)],
)
def test_the_median_rule_needs_four_peers_and_spares_who_is_level(own, peers, ended):
    assert RULES["median"](Moment(5, 20, own, peers)) is ended


def test_the_median_rule_waits_for_a_tenth_of_the_epochs():
    peers = (0.5, 0.7, 0.7, 0.8)
    assert [RULES["median"](Moment(epochs, 40, 0.1, peers)) for epochs in (3, 4)] == [False, True]


def test_successive_halving_looks_at_rungs_and_keeps_the_best_third():
    assert rungs(40) == (1, 4, 13) and rungs(9) == (1, 3) and rungs(2) == ()
    peers = (0.9, 0.8, 0.7, 0.6, 0.5)
    keeps = [own for own in (0.95, 0.85, 0.75, 0.4) if not RULES["halving"](Moment(4, 40, own, peers))]
    assert keeps == [0.95, 0.85], "two of six go on"
    assert not RULES["halving"](Moment(5, 40, 0.1, peers)), "no rung"
    assert not RULES["halving"](Moment(4, 40, 0.1, (0.9,))), "one of two is no third"


def test_no_rule_ends_nothing_and_an_unknown_one_is_refused():
    assert not RULES["none"](Moment(4, 40, 0.0, (1.0,) * 9))
    with pytest.raises(UnknownName, match="none, median, halving"):
        RULES["hyperband"]
