"""Weights that others have trained: a file's tensors under the names of a timm network, all of them or none.

Prefixes of wrappers and names of other releases are understood and said; what belongs to a head is left; 3 channels
become 1 and 1 becomes 3 by timm's rule. A file is never unpickled.

Not here: which file a recipe means (``pretrained``).
"""

from __future__ import annotations

import re
import sys
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from timm.models import adapt_input_conv
from torch import nn

from radia_pipeline.errors import BadInput, DamagedFile
from radia_pipeline.training.timm_networks import TimmNetwork

Tensors = dict[str, torch.Tensor]
CONTAINERS = ("state_dict", "model", "model_state_dict", "module", "model_ema", "teacher", "net", "backbone", "encoder")
"""Keys under which training programs keep a network's tensors beside other things."""
PREFIXES = ("model.", "state_dict.", "module.", "encoder.", "backbone.", "net.", "teacher.", "visual.", "trunk.")
"""What wrappers put before a network's names; any chain of them."""
OTHER_NAMES = (
    (r"^0\.", "conv1."),
    (r"^1\.", "bn1."),
    (r"^4\.", "layer1."),
    (r"^5\.", "layer2."),
    (r"^6\.", "layer3."),
    (r"^7\.", "layer4."),
    (r"^0\.", "features."),
    (r"(denselayer\d+\.(?:norm|conv))\.([12])\.", r"\1\2."),
)
"""torchvision's ResNet and DenseNet as numbered parts (RadImageNet), and DenseNet as its first releases named it."""
HEADS = ("head.", "heads.", "fc.", "classifier.", "omni_heads.", "projector.", "op_threshs", "mask_token")
"""Beginnings of what stands behind a backbone, or served its training alone; a name that the network knows is none."""
COUNTERS = "num_batches_tracked"
"""Of batch normalisation; older files have none and nothing depends on them."""
SHOWN = 3
"""Tensors that an error names."""


@dataclass(frozen=True)
class Taken:
    """What was read from a file: how many tensors, after which conversions, and how many of a head were left."""

    file: str
    tensors: int
    conversions: tuple[str, ...]
    left: int

    @property
    def words(self) -> str:
        """The same in words."""
        done = "; ".join(self.conversions) or "as they are"
        return f"{self.tensors} tensors of {self.file}: {done}; {self.left} of its head left"


def take_weights(net: TimmNetwork, path: Path) -> Taken:
    """Load a file into a timm network without a head.

    Raises BadInput where a tensor is missing, foreign or of another shape (with counts), or where the file holds more
    than tensors; DamagedFile where it cannot be read.
    """
    wanted = net.state_dict()
    conversions: list[str] = []
    tensors = _named(_read(path, conversions), wanted, conversions)
    tensors = _channels(tensors, net, wanted, conversions)
    if not _fits(tensors, wanted):
        tensors = _by_timm(tensors, net, conversions)
    left = [name for name in tensors if name not in wanted and name.startswith(HEADS)]
    found = {name: tensor for name, tensor in tensors.items() if name not in left}
    found = {name: value for name, value in wanted.items() if name.endswith(COUNTERS)} | found
    _require_fit(found, wanted, path, conversions)
    net.load_state_dict(found)
    return Taken(path.name, len(found), tuple(conversions), len(left))


def _read(path: Path, conversions: list[str]) -> Tensors:
    if path.suffix == ".safetensors":
        try:
            return load_file(path)
        except SafetensorError:
            raise DamagedFile(f"The weights {path.name} cannot be read", do="bring the file again") from None
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except Exception:  # what torch raises of a file that is no plain archive has no base of its own
        raise BadInput(
            f"The weights {path.name} are damaged or hold more than tensors, and nothing is unpickled",
            accepted=".safetensors, or what torch.save(model.state_dict(), FILE) wrote",
            do="where you trust the file, load it once and save its state_dict()",
        ) from None
    return _flat(content, path, conversions)


def _flat(content: Any, path: Path, conversions: list[str]) -> Tensors:
    """Return the tensors of the innermost known container."""
    while isinstance(content, dict):
        if inner := next((key for key in CONTAINERS if isinstance(content.get(key), dict)), None):
            conversions.append(f"taken from {inner!r}")
            content = content[inner]
            continue
        tensors = {str(name): value for name, value in content.items() if isinstance(value, torch.Tensor)}
        if tensors:
            return tensors
        break
    raise BadInput(
        f"The weights {path.name} hold no tensors by name",
        accepted=f"a state dict, alone or under one of {', '.join(CONTAINERS)}",
        do="save the network's state_dict()",
    )


def _named(tensors: Tensors, wanted: Tensors, conversions: list[str]) -> Tensors:
    """Take off the chain of prefixes below which most of the network lies, and give each tensor the network's name."""
    fitting: Counter[str] = Counter()
    for name in tensors:
        fitting.update(prefix for prefix in _chains(name) if _own_name(name[len(prefix) :], wanted) in wanted)
    prefix = max(fitting, key=lambda chain: (fitting[chain], -len(chain)), default="")
    if prefix:
        conversions.append(f"prefix {prefix!r} taken off")
    plain = {name.removeprefix(prefix): tensor for name, tensor in tensors.items()}
    renamed = {_own_name(name, wanted): tensor for name, tensor in plain.items()}
    if renamed.keys() != plain.keys():
        conversions.append("names of another release understood")
    return renamed


def _chains(name: str) -> list[str]:
    """Return every chain of known prefixes with which a name begins, the empty one first."""
    found, rest = [""], name
    while (more := next((prefix for prefix in PREFIXES if rest.startswith(prefix)), None)) is not None:
        found.append(found[-1] + more)
        rest = rest[len(more) :]
    return found


def _own_name(name: str, wanted: Tensors) -> str:
    if name in wanted:
        return name
    others = (re.sub(pattern, replacement, name, count=1) for pattern, replacement in OTHER_NAMES)
    return next((other for other in others if other in wanted), name)


def _channels(tensors: Tensors, net: TimmNetwork, wanted: Tensors, conversions: list[str]) -> Tensors:
    """Let the first convolution take as many channels as the network has: their sum is what it sees of grey planes."""
    first = net.pretrained_cfg.get("first_conv") or ()
    for module in (first,) if isinstance(first, str) else first:
        name = f"{module}.weight"
        if name not in tensors or name not in wanted or tensors[name].ndim != 4:
            continue
        theirs, mine = tensors[name].shape[1], wanted[name].shape[1]
        if theirs != mine and {theirs, mine} == {1, 3}:
            tensors[name] = adapt_input_conv(mine, tensors[name], base_chans=theirs)
            conversions.append(f"{theirs} to {mine} channels")
    return tensors


def _by_timm(tensors: Tensors, net: nn.Module, conversions: list[str]) -> Tensors:
    """Let the family's own conversion in timm try: other releases' names, positions for another size of input."""
    convert = getattr(sys.modules[type(net).__module__], "checkpoint_filter_fn", None)
    if convert is None:
        return tensors
    try:
        converted = convert(dict(tensors), net)
    except (KeyError, RuntimeError, AttributeError, TypeError, ValueError, AssertionError, IndexError):
        return tensors  # the check that follows says what does not fit
    conversions.append("converted by timm's rule for the family")
    return converted


def _fits(tensors: Tensors, wanted: Tensors) -> bool:
    if any(name not in wanted and not name.startswith(HEADS) for name in tensors):
        return False
    return all(
        name in tensors and tensors[name].shape == value.shape
        for name, value in wanted.items()
        if not name.endswith(COUNTERS)
    )


def _require_fit(found: Tensors, wanted: Tensors, path: Path, conversions: list[str]) -> None:
    problems = {
        "missing": [name for name in wanted if name not in found],
        "foreign": [name for name in found if name not in wanted],
        "of another shape": [name for name in wanted if name in found and found[name].shape != wanted[name].shape],
    }
    said = [
        f"{len(names)} of {len(found if kind == 'foreign' else wanted)} {kind} ({', '.join(names[:SHOWN])})"
        for kind, names in problems.items()
        if names
    ]
    if said:
        after = f", after {'; '.join(conversions)}" if conversions else ""
        raise BadInput(
            f"The weights {path.name} do not fit the backbone: {'; '.join(said)}{after}",
            accepted="a file with every tensor of the backbone and, beyond it, a head's alone",
            do="set model.backbone and model.kwargs to the network that the file was trained as",
        )
