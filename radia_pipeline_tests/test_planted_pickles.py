"""A pickle planted wherever weights or a model are loaded is refused, and nothing of it runs.

Also here: the list of those places is whole, found by the functions that read such files.
"""

from __future__ import annotations

import os
import pickle
import re
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from radia_pipeline.errors import RadiaError
from radia_pipeline.lake.lake import Lake
from radia_pipeline_tests.localisation.lakes import save_model

PACKAGE = Path(__file__).resolve().parents[1] / "radia_pipeline"
LOADERS = re.compile(
    r"\b(?:torch\.load|np\.load|load_file|safe_open|InferenceSession|joblib\.load|from_pretrained|onnx\.load)\("
    r"|from safetensors\.\w+ import .*\bload\b|\.load_model\("
)
KNOWN = {
    "training/checkpoints.py",
    "training/weight_files.py",
    "evaluation/network_files.py",
    "evaluation/serving.py",
    "evaluation/familiarity.py",
    "evaluation/reliability.py",
    "usecases/doctor_lake.py",
    "cohort/copies.py",
    "cohort/film_descriptor.py",
    "detection/onnx_model.py",
    "dicom/thorax.py",
    "dicom/poses.py",
    "training/earlier_models.py",
}
"""Modules that read weights, arrays or networks from a file; each is planted below, or reads what ships or is told
``allow_pickle=False``."""


class Planted:
    """What runs when it is unpickled."""

    def __init__(self, marker: Path) -> None:
        self.marker = marker

    def __reduce__(self):
        return os.mkdir, (os.fspath(self.marker),)


@pytest.fixture
def planted(tmp_path) -> Callable[[Path, str], None]:
    """Return a function that writes a pickle to a path: as it is, as torch's archive, or numpy's."""

    def write(path: Path, how: str) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        said = {"weight": Planted(tmp_path / "ran")}
        if how == "torch":
            torch.save(said, path)
        else:
            path.write_bytes(pickle.dumps(said))

    return write


def _model(lake: Lake) -> Path:
    save_model(lake, "one", "linear", 1)
    return next(lake.models_dir.glob("one/*/model.json")).parent


def _checkpoint(folder: Path, plant) -> None:
    from radia_pipeline.training.checkpoints import load_checkpoint

    plant(folder / "last.safetensors")
    load_checkpoint(folder / "last.safetensors", "f00d")


def _classifier(folder: Path, plant) -> None:
    from radia_pipeline.training.inference import load_classifier

    home = _model(Lake.open(folder / "lake"))
    plant(home / "model.safetensors")
    load_classifier(home)


def _exported(folder: Path, plant) -> None:
    from radia_pipeline.evaluation import loaded

    home = _model(Lake.open(folder / "lake"))
    shutil.copytree(home, folder / "exported")
    plant(folder / "exported" / "model.safetensors")
    loaded._load_pyfunc(os.fspath(folder / "exported"))  # by this name MLflow calls it


def _detector(folder: Path, plant) -> None:
    from radia_pipeline.detection.store import load_detector

    home = _model(Lake.open(folder / "lake"))
    plant(home / "model.safetensors")
    load_detector(home)


def _backbone(suffix: str) -> Callable:
    def load(folder: Path, plant) -> None:
        import timm

        from radia_pipeline.training.weight_files import take_weights

        plant(folder / f"weights{suffix}")
        take_weights(timm.create_model("resnet10t", pretrained=False, num_classes=0), folder / f"weights{suffix}")

    return load


def _familiarity(folder: Path, plant) -> None:
    import json

    from radia_pipeline.evaluation.familiarity import CARD, FAMILIARITY_VERSION, FOLDER, NUMBERS, load_gaussian

    plant(folder / FOLDER / NUMBERS)
    (folder / FOLDER / CARD).write_text(json.dumps({"familiarity_version": FAMILIARITY_VERSION}))
    assert load_gaussian(folder) is None  # it is described anew


def _served(folder: Path, plant) -> None:
    import onnxruntime

    plant(folder / "net.onnx")
    onnxruntime.InferenceSession(folder / "net.onnx", providers=["CPUExecutionProvider"])


def _mlflow(folder: Path, plant) -> None:
    from radia_pipeline.tracking.history import import_mlflow

    mlflow = import_mlflow()
    plant(folder / "flavour" / "python_model.pkl")
    (folder / "flavour" / "MLmodel").write_text(
        "flavors:\n  python_function:\n    loader_module: mlflow.pyfunc.model\n    python_model: python_model.pkl\n"
        "    env: {}\n    python_version: 3.11.0\n"
    )
    mlflow.pyfunc.load_model(os.fspath(folder / "flavour"))


PLACES = {
    "checkpoint": _checkpoint,
    "classifier": _classifier,
    "exported": _exported,
    "detector": _detector,
    "backbone_pt": _backbone(".pt"),
    "backbone_pth": _backbone(".pth"),
    "backbone_safetensors": _backbone(".safetensors"),
    "familiarity": _familiarity,
    "served_network": _served,
    "mlflow": _mlflow,
}


@pytest.mark.parametrize("how", ["pickle", "torch"])
@pytest.mark.parametrize("place", PLACES)
def test_a_planted_pickle_does_not_run(place, how, tmp_path, planted):
    refused = None
    try:
        PLACES[place](tmp_path, lambda path: planted(path, how))
    except Exception as error:
        refused = error
    assert not (tmp_path / "ran").exists()
    if place not in ("familiarity",):
        assert refused is not None
    if place not in ("familiarity", "served_network", "mlflow"):
        assert isinstance(refused, RadiaError) and refused.do


def test_the_plant_would_run_where_it_is_unpickled(tmp_path, planted):
    planted(tmp_path / "a", "pickle")
    pickle.loads((tmp_path / "a").read_bytes())
    assert (tmp_path / "ran").is_dir()


def test_every_place_that_loads_is_known():
    found = {
        path.relative_to(PACKAGE).as_posix()
        for path in PACKAGE.rglob("*.py")
        if LOADERS.search(path.read_text(encoding="utf-8"))
    }
    assert found == KNOWN
    for name in found:
        text = (PACKAGE / name).read_text(encoding="utf-8")
        assert all("weights_only=True" in line for line in text.splitlines() if "torch.load(" in line)
        assert all("allow_pickle=False" in line for line in text.splitlines() if "np.load(" in line)
