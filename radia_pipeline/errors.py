"""The one exception tree: every error that RadIA raises on purpose is drawn here.

An error says what was received, what is accepted and what to do. Nothing that identifies a person may enter a message:
no patient identifier, no report text, no delivered path, no DICOM value. Errors of libraries are translated where they
are understood; there is no place here for a bare wrapper. How an error crosses between processes: ``processes``.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar


class RadiaError(Exception):
    """Base of all errors. ``exit_code`` is what the command line returns for it (1: failed or no, 2: bad input)."""

    exit_code = 1
    fields: ClassVar[tuple[str, ...]] = ("received", "accepted", "do")
    """What an error of this class is made of: attributes, and arguments of its constructor by the same name; each is
    text or None."""

    def __init__(self, received: str, *, accepted: str | None = None, do: str | None = None) -> None:
        self.received, self.accepted, self.do = received, accepted, do
        parts = [received.rstrip(".")]
        if accepted:
            parts.append(f"Accepted: {accepted.rstrip('.')}")
        if do:
            parts.append(f"Do: {do.rstrip('.')}")
        super().__init__(". ".join(parts) + ".")

    @property
    def kind(self) -> str:
        """The error's class name, for machine-readable output."""
        return type(self).__name__

    def __reduce__(self) -> tuple[Any, ...]:
        return (_rebuild, (type(self), {name: getattr(self, name) for name in self.fields}))


def _rebuild(cls: Callable[..., RadiaError], fields: dict[str, str | None]) -> RadiaError:
    """Let a library that copies or pickles exceptions (a pool of processes, Dagster) hand an error on whole."""
    return cls(**fields)


class BadInput(RadiaError):
    """What the user gave cannot be used; nothing was changed."""

    exit_code = 2


class UnknownName(BadInput):
    """A source, asset, recipe, class or column that does not exist."""


class NoLayout(BadInput):
    """A folder in which no published dataset layout was recognised."""


class BadTable(BadInput):
    """A delivered or written table whose columns, types or encoding do not fit."""


class BadRecipe(BadInput):
    """A training recipe that cannot be followed."""


class Refusal(BadInput):
    """One delivered file is not let in. ``reason``: of the closed list of ``privacy.reasons``; ``detail`` names tag and
    rule, never a value of the file."""

    fields = ("reason", "detail")

    def __init__(self, reason: str, detail: str | None = None) -> None:
        self.reason, self.detail = reason, detail
        super().__init__(reason if detail is None else f"{reason}: {detail}")

    def __str__(self) -> str:
        return self.received


class KeyMismatch(BadInput):
    """Another pseudonym key than the one with which the lake was made."""


class VocabularyMismatch(BadInput):
    """Labels, recipes or models that speak another version of the vocabulary."""


class RunFailed(RadiaError):
    """The input was sound, yet the work could not be finished."""


class ContractViolation(RunFailed):
    """What is about to be published breaks a promise; ``table`` names the table, where it is that of one."""

    fields = (*RunFailed.fields, "table")

    def __init__(
        self, received: str, *, accepted: str | None = None, do: str | None = None, table: str | None = None
    ) -> None:
        super().__init__(received, accepted=accepted, do=do)
        self.table = table


class PromotionRefused(RunFailed):
    """The gate says no to a champion; nothing that answers was changed."""


class MissingTable(RunFailed):
    """A table that a step reads has not been made yet."""


class EmptyPool(RunFailed):
    """A pool, class or evaluation set has nothing to work on."""


class NotTrained(RunFailed):
    """A model is asked for that nobody has trained."""


class LakeUnwritable(RunFailed):
    """The lake is read-only, full or cannot be created."""


class LakeUnreadable(RunFailed):
    """The disk or share under the lake does not give what it holds; the lake itself may be whole."""


class NotSent(RunFailed):
    """A notice that nobody took; it is sent again later."""


class LakeLocked(RunFailed):
    """Another process writes the same table or trains the same recipe."""


class AlreadyRunning(LakeLocked):
    """A training of the same recipe holds its exclusive lock."""


class TrainingDiverged(RunFailed):
    """Loss or gradients stopped being finite."""


class BadFrame(RunFailed):
    """What another process sent is cut, too large or not of the agreed form."""


class DamagedFile(RunFailed):
    """A file of the lake does not match its checksum or cannot be parsed."""


class LedgerDamaged(DamagedFile):
    """The append-only split ledger cannot be trusted."""
