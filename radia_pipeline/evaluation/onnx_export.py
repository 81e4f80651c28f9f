"""A network written as ONNX, the number of images free. Whoever writes one proves it against torch.

Belongs here: the call of torch's exporter. Does not belong here: what a network answers, and the proof.
"""

from __future__ import annotations

import inspect
import logging
import warnings
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, cast

import torch
from onnxscript import opset18
from torch import nn

from radia_pipeline.training.recipe_schema import InputSection

OPSET = 18
MOST_IMAGES = 4096


def _log_sigmoid(x: Any) -> Any:
    """log σ(x) as −softplus(−x).

    The exporter's own log(σ(x)) takes the logarithm of ONNX Runtime's σ, which is right to about 1e-7 and no further:
    at x = −15 that is a third of the value.
    """
    return opset18.Neg(opset18.Softplus(opset18.Neg(x)))


_TRANSLATED: dict[Callable[..., Any], Callable[..., Any]] = {torch.ops.aten.log_sigmoid.default: _log_sigmoid}


def write_onnx(network: nn.Module, section: InputSection, outputs: Sequence[str], path: Path) -> None:
    """Write ``network``, images (N, C, S, S) of ``section`` -> ``outputs``, to ``path``; torch's own errors go up."""
    example = torch.zeros(2, section.channel_count, section.size_px, section.size_px)
    write_inputs(network, {"images": example}, outputs, path)


def write_inputs(network: nn.Module, examples: Mapping[str, torch.Tensor], outputs: Sequence[str], path: Path) -> None:
    """Write a network of several inputs, in order; the first dimension of each is the number of images or studies."""
    batch = torch.export.Dim("batch", min=1, max=MOST_IMAGES)
    shapes: tuple = tuple({0: batch} for _ in examples)
    takes_any = any(one.kind is one.VAR_POSITIONAL for one in inspect.signature(network.forward).parameters.values())
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)  # the exporter tells of every optional package that it lacks
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # deprecations inside torch, which only torch can mend
            program = torch.onnx.export(
                network.eval(),
                tuple(examples.values()),
                dynamo=True,
                opset_version=OPSET,
                verbose=False,
                input_names=list(examples),
                output_names=list(outputs),
                dynamic_shapes=(shapes,) if takes_any else shapes,
                custom_translation_table=_TRANSLATED,
            )
            cast(torch.onnx.ONNXProgram, program).save(str(path), external_data=False)  # with dynamo there is one
    finally:
        logging.disable(before)
