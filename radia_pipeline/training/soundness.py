"""Whether what a training left behind can be used: a finished model, a checkpoint with the best weights.

What cannot be used is said and made again. Not here: where it lies (``standing``, ``model_folders``).
"""

from __future__ import annotations

from pathlib import Path

from radia_pipeline.errors import DamagedFile, NotTrained
from radia_pipeline.training.checkpoints import load_checkpoint, load_tensors
from radia_pipeline.training.model_folders import is_finished, read_card, read_history
from radia_pipeline.training.outcome import OnEvent


def is_sound(folder: Path, speak: OnEvent) -> bool:
    """Whether a training stands finished with a model that is whole; one that is not is said."""
    if not is_finished(folder):
        return False
    wrong = _complaint(folder)
    if wrong:
        speak(
            {"event": "warning", "message": f"the finished model {folder.name} is damaged ({wrong}): it is made again"}
        )
    return not wrong


def _complaint(folder: Path) -> str | None:
    try:
        card = read_card(folder)
        metadata = load_tensors(folder / "model.safetensors")[1]
        history = read_history(folder)
    except (DamagedFile, NotTrained) as error:
        return error.received
    except (OSError, ValueError):
        return "metrics.jsonl is gone or cannot be read"
    if metadata.get("fingerprint") != card.get("fingerprint"):
        return "model.safetensors belongs to another training"
    if len(history) != card.get("epochs"):
        return f"metrics.jsonl tells of {len(history)} of {card.get('epochs')} epochs"
    return None


def can_go_on(last: Path, best: Path, identity: str, speak: OnEvent) -> bool:
    """Whether a checkpoint can be taken up, with the best weights so far; one that cannot is said."""
    if not last.exists():
        return False
    try:
        progress = load_checkpoint(last, identity)[1]
        if progress.best_epoch >= 0:
            load_tensors(best)
    except DamagedFile as error:
        speak({"event": "warning", "message": f"{error.received}: the training begins anew"})
        return False
    return True
