"""Encryption of a backup: the format of age (age-encryption.org), to a recipient whose key is not in the backup.

Whoever makes a backup needs the public half only, so that a machine that is taken over does not give away the backups
of before; ``age --decrypt`` opens each file without this software. The library is pyrage (MIT, Rust). Nothing of our
own is invented here.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

from radia_pipeline.errors import BadInput, DamagedFile


class Readable(Protocol):
    """A stream of bytes to read."""

    def read(self, size: int = -1, /) -> bytes:
        """Return the next bytes, at most ``size``; none at its end."""


class Writable(Protocol):
    """A stream of bytes to write."""

    def write(self, content: bytes, /) -> int:
        """Append bytes; returns how many."""

    def flush(self) -> None:
        """Hand on what was written."""


def new_identity(path: Path) -> str:
    """Write a new secret key to ``path`` (0600) and return the recipient that belongs to it.

    Raises BadInput where the file is there already: a key is never replaced.
    """
    from pyrage import x25519

    identity = x25519.Identity.generate()
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        raise BadInput(f"The file {path.name} exists; a key is not replaced", do="name another file") from None
    except OSError as error:
        raise BadInput(f"The file {path.name} cannot be written: {error.strerror}", do="name another place") from None
    with os.fdopen(descriptor, "w", encoding="ascii") as file:
        file.write(f"# public key: {identity.to_public()}\n{identity}\n")
        file.flush()
        os.fsync(file.fileno())
    return str(identity.to_public())


def require_recipients(recipients: Sequence[str]) -> tuple[str, ...]:
    """Return recipients as they were given; raises BadInput for what is no public key of age."""
    for text in recipients:
        _recipient(text)
    return tuple(recipients)


def identities(path: Path) -> list[Any]:
    """Return the secret keys of a file as ``age-keygen`` or ``radia backup key`` writes it; raises BadInput."""
    from pyrage import IdentityError, x25519

    try:
        lines = path.read_text(encoding="utf-8").splitlines()
        found = [x25519.Identity.from_str(line.strip()) for line in lines if line.strip() and not line.startswith("#")]
    except (OSError, ValueError, IdentityError):
        found = []
    if not found:
        raise BadInput(f"{path.name} holds no secret key", accepted="a file as `radia backup key` or age-keygen writes")
    return found


def seal(reader: Readable, writer: Writable, recipients: Sequence[str]) -> None:
    """Encrypt a stream to recipients."""
    import pyrage

    pyrage.encrypt_io(reader, writer, [_recipient(text) for text in recipients])


def unseal(reader: Readable, writer: Writable, keys: Sequence[Any], what: str) -> None:
    """Decrypt a stream; raises BadInput where no key fits, DamagedFile where the bytes were changed."""
    import pyrage

    try:
        pyrage.decrypt_io(reader, writer, list(keys))
    except pyrage.DecryptError as error:
        if "matching" in str(error).lower():
            raise BadInput("The secret key does not open this backup", accepted="the one it was sealed to") from None
        raise DamagedFile(f"{what} of the backup cannot be decrypted: its bytes were changed") from None
    except OSError as error:
        if error.errno is not None:
            raise
        raise DamagedFile(f"{what} of the backup cannot be decrypted: its bytes were changed") from None


def _recipient(text: str) -> Any:
    from pyrage import RecipientError, x25519

    try:
        return x25519.Recipient.from_str(text)
    except RecipientError:
        raise BadInput(
            f"{text[:8]}… is no public key",
            accepted="age1…, as `radia backup key` or age-keygen prints it",
            do="give the public half, never the secret key",
        ) from None
