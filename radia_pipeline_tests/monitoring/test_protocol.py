"""The protocol's file: what ships can be followed, what cannot be followed is refused with its key."""

from __future__ import annotations

import copy
import json

import jsonschema
import pytest

from radia_pipeline.contracts.location import contracts_root, read_yaml
from radia_pipeline.errors import BadTable
from radia_pipeline.monitoring.protocol import LAYERS, json_schema, parse_protocol, protocol, protocol_of

SHIPPED = read_yaml(contracts_root() / "drift_protocol.yaml")


def test_the_shipped_protocol_is_sound_and_watches_five_layers():
    assert protocol().watched == LAYERS
    jsonschema.validate(SHIPPED, json_schema())
    assert json.loads((contracts_root() / "drift_protocol.schema.json").read_text(encoding="utf-8")) == json_schema()


@pytest.mark.parametrize(
    ("keys", "value", "said"),
    [
        (("windows", "days"), 0, "windows.days"),
        (("windows", "days"), "weekly", "windows.days"),
        (("windows", "least_patient"), 5, "windows.least_patient"),
        (("layers", "pixels", "action"), "retrain", "layers.pixels.action"),
        (("statistics", "floor_sd"), 0.0, "statistics.floor_sd"),
        (("statistics", "reaches_sd"), [0.2], "statistics.reaches_sd"),
        (("reference", "days"), 20, "reference.days must hold least_windows windows"),
        (("version",), 1, "version"),
        (("kind",), "Recipe", "kind"),
    ],
)
def test_what_cannot_be_followed_is_refused_by_its_key(keys, value, said):
    content = copy.deepcopy(SHIPPED)
    place = content
    for key in keys[:-1]:
        place = place[key]
    place[keys[-1]] = value
    with pytest.raises(BadTable, match="mend the protocol") as refused:
        parse_protocol(content)
    assert said in str(refused.value)


def test_a_layer_that_is_left_out_is_refused():
    content = copy.deepcopy(SHIPPED)
    del content["layers"]["scores"]
    with pytest.raises(BadTable, match=r"layers\.scores"):
        parse_protocol(content)


def test_a_lakes_own_protocol_of_an_earlier_form_is_followed_without_its_reaches(tmp_path):
    content = copy.deepcopy(SHIPPED)
    content["statistics"]["reaches_sd"] = [0.2, 0.5]
    (tmp_path / "drift_protocol.yaml").write_text(json.dumps(content), encoding="utf-8")
    assert protocol_of(tmp_path) == protocol()
