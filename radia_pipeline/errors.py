"""The one exception tree: every error that RadIA raises on purpose is drawn here.

An error says what was received, what is accepted and what to do. Nothing that identifies a person may enter a message:
no patient identifier, no report text, no delivered path, no DICOM value. Errors of libraries are translated where they
are understood; there is no place here for a bare wrapper.
"""

from __future__ import annotations


class RadiaError(Exception):
    """Base of all errors. ``exit_code`` is what the command line returns for it (1: failed or no, 2: bad input)."""

    exit_code = 1

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

    def __reduce__(self):
        return (_rebuild, (type(self), self.received, self.accepted, self.do))


def _rebuild(cls: type[RadiaError], received: str, accepted: str | None, do: str | None) -> RadiaError:
    """Let an error cross a process boundary whole."""
    return cls(received, accepted=accepted, do=do)


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


class KeyMismatch(BadInput):
    """Another pseudonym key than the one with which the lake was made."""


class VocabularyMismatch(BadInput):
    """Labels, recipes or models that speak another version of the vocabulary."""


class RunFailed(RadiaError):
    """The input was sound, yet the work could not be finished."""


class ContractViolation(RunFailed):
    """A table breaks its data contract and was not published."""


class MissingTable(RunFailed):
    """A table that a step reads has not been made yet."""


class EmptyPool(RunFailed):
    """A pool, class or evaluation set has nothing to work on."""


class NotTrained(RunFailed):
    """A model is asked for that nobody has trained."""


class LakeUnwritable(RunFailed):
    """The lake is read-only, full or cannot be created."""


class LakeLocked(RunFailed):
    """Another process writes the same table or trains the same recipe."""


class AlreadyRunning(LakeLocked):
    """A training of the same recipe holds its exclusive lock."""


class TrainingDiverged(RunFailed):
    """Loss or gradients stopped being finite."""


class DamagedFile(RunFailed):
    """A file of the lake does not match its checksum or cannot be parsed."""


class LedgerDamaged(DamagedFile):
    """The append-only split ledger cannot be trusted."""
