"""The names that other programs may use: all there, imported late, each with a docstring; nothing else is made up."""

from __future__ import annotations

import inspect
import json
import subprocess
import sys

import pytest

import radia_pipeline

SCRIPT = """
import json, sys
import radia_pipeline
heavy = [name for name in ("click", "dagster", "numpy", "pyarrow", "torch", "yaml") if name in sys.modules]
before = len([name for name in sys.modules if name.startswith("radia_pipeline")])
from radia_pipeline import Labeler
print(json.dumps({"heavy": heavy, "modules": before, "labels": Labeler.default().read("Cardiomégalie.").labels}))
"""


def test_importing_the_package_loads_nothing_until_a_name_is_asked_for():
    done = subprocess.run([sys.executable, "-c", SCRIPT], capture_output=True, text=True, check=True)
    found = json.loads(done.stdout)
    assert found == {"heavy": [], "modules": 1, "labels": {"Cardiomegaly": 1, "No Finding": 0}}


@pytest.mark.parametrize("name", radia_pipeline.__all__)
def test_every_public_name_is_there_and_says_what_it_does(name):
    assert inspect.getdoc(getattr(radia_pipeline, name))
    assert name in dir(radia_pipeline)


def test_a_star_import_brings_exactly_these_names():
    names: dict[str, object] = {}
    exec("from radia_pipeline import *", names)
    assert names.keys() - {"__builtins__"} == set(radia_pipeline.__all__) == set(radia_pipeline._PUBLIC)


def test_another_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="has no attribute 'predictions'"):
        _ = radia_pipeline.predictions
