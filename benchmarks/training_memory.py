"""What a training step keeps in memory, by arithmetic: activations are counted by hooks on tensors without storage,
weights by their number. No GPU is needed and none is measured.

Autocast keeps some activations in bf16 and some (normalisations) in float32: the truth lies between the two columns.
"""

from __future__ import annotations

import argparse
import json
import os
from pathlib import Path

os.environ.setdefault("HF_HUB_OFFLINE", "1")
import timm
import torch
from torch.autograd.graph import saved_tensors_hooks

RESULT = Path(__file__).parent / "results" / "training_memory.json"
CASES = (("convnext_large", 384), ("convnext_base", 384), ("densenet121", 384))
STUDIES, VIEWS, PARTS = 64, 2, (1, 4, 8)
BYTES_A_PARAMETER = {"weight": 4, "gradient": 4, "adamw": 8, "average": 4}
GB = 1e9


def kept_bytes(name: str, side: int, images: int, dtype: torch.dtype, *, again: bool) -> tuple[int, int]:
    """Bytes kept for the gradient of so many images, parameters apart, and the number of parameters."""
    with torch.device("meta"):
        net = timm.create_model(name, in_chans=3, num_classes=0).to(dtype).train()
        pictures = torch.empty(images, 3, side, side, dtype=dtype)
    if again:
        net.set_grad_checkpointing(True)
    kept: dict[int, tuple[int, torch.Tensor]] = {}

    def keep(tensor: torch.Tensor) -> torch.Tensor:
        base = tensor if tensor._base is None else tensor._base
        if not isinstance(base, torch.nn.Parameter):
            storage = tensor.untyped_storage()
            kept[storage._cdata] = storage.nbytes(), tensor
        return tensor

    with saved_tensors_hooks(keep, lambda tensor: tensor):
        net.forward_features(pictures)
    return sum(size for size, _ in kept.values()), sum(parameter.numel() for parameter in net.parameters())


def case(name: str, side: int) -> dict:
    """Megabytes an image, gigabytes of weights, and of a step of 64 studies of two views in parts."""
    found: dict = {"model": name, "side_px": side, "studies": STUDIES, "views": VIEWS}
    for again in (False, True):
        per_image = {}
        for dtype in (torch.bfloat16, torch.float32):
            (one, parameters), (two, _) = (kept_bytes(name, side, count, dtype, again=again) for count in (1, 2))
            per_image[str(dtype)[6:]] = round((two - one) / 1e6, 1)
        found["weights_gb"] = round(parameters * sum(BYTES_A_PARAMETER.values()) / GB, 2)
        found["checkpointed" if again else "kept"] = {
            "mb_an_image": per_image,
            "step_gb_by_parts": {
                parts: {kind: round(STUDIES * VIEWS / parts * mb / 1e3, 1) for kind, mb in per_image.items()}
                for parts in PARTS
            },
        }
    return found


def main() -> None:
    """Count and keep the result."""
    argparse.ArgumentParser(description=__doc__).parse_args()
    result = [case(name, side) for name, side in CASES]
    RESULT.write_text(json.dumps(result, indent=1) + "\n")
    for found in result:
        print(json.dumps(found))


if __name__ == "__main__":
    main()
