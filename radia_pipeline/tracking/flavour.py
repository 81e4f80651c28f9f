"""The flavour by which MLflow loads a model without unpickling anything: a module of ours that reads its files.

Here: ``MLmodel`` with signature and input example, beside a model's files, for the kinds of models that answer for
pictures. Not here: the module that loads them, which is above this package and named alone; registering (``models``).
"""

from __future__ import annotations

import base64
import io
import json
from pathlib import Path

import numpy as np
from PIL import Image

from radia_pipeline.contracts.vocabulary import vocabulary
from radia_pipeline.tracking.history import import_mlflow

LOADERS = dict.fromkeys(("classifier", "ensemble"), "radia_pipeline.evaluation.loaded:_load_pyfunc")
"""Kind of model -> the function that MLflow looks for in its module. A detector answers by its own ONNX file."""
PICTURES = ("frontal", "lateral")
"""Columns of a table that such a model is asked with, the first required."""
EXAMPLE = "input_example.json"
EXAMPLE_PX = 32


def write_flavour(folder: Path, kind: str) -> None:
    """Write ``MLmodel`` and an example, a ramp of grey of nobody, into a folder with a model's files; other kinds get
    nothing."""
    if kind not in LOADERS:
        return
    import_mlflow()
    from mlflow import pyfunc
    from mlflow.models import Model, ModelSignature
    from mlflow.types import ColSpec, Schema, TensorSpec

    pictures: list[ColSpec | TensorSpec] = [
        ColSpec("binary", name, required=at == 0) for at, name in enumerate(PICTURES)
    ]
    numbers: list[ColSpec | TensorSpec] = [ColSpec("double", name) for name in vocabulary().classes]
    made = Model(
        signature=ModelSignature(inputs=Schema(pictures), outputs=Schema(numbers)),
        saved_input_example_info={"artifact_path": EXAMPLE, "type": "dataframe", "pandas_orient": "split"},
    )
    pyfunc.add_to_model(made, loader_module=LOADERS[kind].partition(":")[0])
    content = {"columns": list(PICTURES), "data": [[base64.b64encode(_ramp()).decode()] * len(PICTURES)]}
    (folder / EXAMPLE).write_text(json.dumps(content), encoding="utf-8")
    made.save(str(folder / "MLmodel"))


def _ramp() -> bytes:
    """A 16-bit grey PNG."""
    grey = np.linspace(0, 65535, EXAMPLE_PX**2).reshape(EXAMPLE_PX, EXAMPLE_PX).astype(np.uint16)
    file = io.BytesIO()
    Image.fromarray(grey).save(file, "PNG")
    return file.getvalue()
