"""Keyed hashes in the place of native identifiers, and the fingerprint that binds a lake to its key."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import os
import re
import warnings
from pathlib import Path
from typing import TYPE_CHECKING

from radia_pipeline.errors import BadInput, DamagedFile, KeyMismatch
from radia_pipeline.lake import atomic
from radia_pipeline.lake.lake import Lake

if TYPE_CHECKING:
    from cryptography.fernet import Fernet

KEY_VARIABLE = "RADIA_PSEUDONYM_KEY"
NEW_KEY_VARIABLE = "RADIA_NEW_PSEUDONYM_KEY"
"""Where a rotation finds the key that follows."""
ROTATING = "_rotating"
"""Folder of a lake while its key is being rotated."""
DEMO_KEY = b"radia public demo key: never use it for a hospital's data"
MIN_KEY_CHARACTERS = 16
_FINGERPRINT = re.compile("[0-9a-f]{64}")
_ID_BYTES = 16  # 128 bits: no collision among any number of images that a hospital can have


class DemoKeyWarning(UserWarning):
    """The public demo key is in use, so that anybody can recompute the pseudonyms."""


def fingerprint_path(root: Path) -> Path:
    """Return where a lake keeps the fingerprint of its key."""
    return root / "key_fingerprint.txt"


def kept_fingerprint(root: Path) -> str | None:
    """Return the fingerprint that a lake keeps, whatever stands there; None where it keeps none."""
    path = fingerprint_path(root)
    return path.read_text(encoding="utf-8", errors="replace").strip() if path.exists() else None


class Pseudonymizer:
    """Turns native identifiers into 32 hexadecimal characters: HMAC-SHA256 over kind, source and value."""

    def __init__(self, key: bytes) -> None:
        self._key = key
        self._earlier: tuple[bytes, ...] = ()

    @property
    def fingerprint(self) -> str:
        """A public hash by which a lake recognises the key without holding it."""
        return hashlib.sha256(b"radia key fingerprint\0" + self._key).hexdigest()

    @classmethod
    def from_environment(cls, lake: Lake) -> Pseudonymizer:
        """Take the key from RADIA_PSEUDONYM_KEY (unset: the demo key, with a warning) and bind the lake to it.

        Raises KeyMismatch where the lake was made with another key: every patient would silently change pool.
        """
        keys = cls.named(KEY_VARIABLE)
        if keys is None:
            warnings.warn(
                f"{KEY_VARIABLE} is not set: the public demo key is used, fit for invented or public data only",
                DemoKeyWarning,
                stacklevel=2,
            )
            keys = cls(DEMO_KEY)
        keys.bind(lake)
        return keys

    @classmethod
    def named(cls, variable: str) -> Pseudonymizer | None:
        """Return the key of an environment variable, None where it is not set; raises BadInput for a short one."""
        text = os.environ.get(variable)
        if text is not None and len(text) < MIN_KEY_CHARACTERS:
            raise BadInput(f"{variable} is too short", accepted=f"at least {MIN_KEY_CHARACTERS} characters")
        return cls(text.encode("utf-8")) if text is not None else None

    def bind(self, lake: Lake) -> None:
        """Store the fingerprint with a new lake, or compare it with an old one's."""
        path = fingerprint_path(lake.root)
        if (lake.root / ROTATING / "plan.json").exists():
            raise KeyMismatch(
                "The lake's key is being rotated, and that was not ended",
                do=f"run `radia keys rotate` again with the same {KEY_VARIABLE} and {NEW_KEY_VARIABLE}",
            )
        with lake.lock("key"):
            if not path.exists():
                atomic.write_text(path, self.fingerprint + "\n")
            elif not _FINGERPRINT.fullmatch(said := path.read_text(encoding="utf-8", errors="replace").strip()):
                raise DamagedFile(
                    f"{path.name} of the lake cannot be read",
                    do=f"restore it from a backup; or, if you are sure that {KEY_VARIABLE} is the lake's key, "
                    "delete it: it is written anew",
                )
            elif said != self.fingerprint:
                raise KeyMismatch(
                    "The pseudonym key is another one than the lake was made with",
                    accepted=f"the key whose fingerprint stands in {path.name} of the lake",
                    do=f"set {KEY_VARIABLE} to that key, or start a new lake",
                )
            self._earlier = self._unwrapped(lake)

    @classmethod
    def is_demo(cls, lake: Lake) -> bool:
        """Tell whether a lake was made with the public demo key: then it holds invented or public data only."""
        return kept_fingerprint(lake.root) == cls(DEMO_KEY).fingerprint

    def rotated(self, found: str) -> str:
        """Return what an id of the key before becomes under this one: HMAC-SHA256 over it."""
        return _digest(self._key, b"radia rotation\0" + found.encode("ascii"))

    def after(self, before: Pseudonymizer, lake: Lake) -> bytes:
        """Return what ``keys.json`` of a lake has to say once this key follows ``before``: the keys before, wrapped.

        New ids are made under each of them in turn, so they are needed; nothing but this key opens them.
        """
        keys = [*before._unwrapped(lake), before._key]
        text = json.dumps([base64.b64encode(key).decode() for key in keys]).encode()
        said = {
            "fingerprint": self.fingerprint,
            "before": before.fingerprint,
            "keys": len(keys),
            "wrapped": self._fernet().encrypt(text).decode(),
        }
        return (json.dumps(said) + "\n").encode()

    def _unwrapped(self, lake: Lake) -> tuple[bytes, ...]:
        path = lake.root / "keys.json"
        if not path.exists():
            return ()
        from cryptography.fernet import InvalidToken

        try:
            wrapped = json.loads(path.read_text(encoding="utf-8"))["wrapped"]
            return tuple(map(base64.b64decode, json.loads(self._fernet().decrypt(wrapped))))
        except (ValueError, KeyError, TypeError, InvalidToken):
            raise DamagedFile(
                "keys.json of the lake cannot be opened with its key", do="restore it from a backup: new ids need it"
            ) from None

    def _fernet(self) -> Fernet:
        from cryptography.fernet import Fernet

        return Fernet(base64.urlsafe_b64encode(hmac.digest(self._key, b"radia key wrap", "sha256")))

    def _hash(self, *parts: str) -> str:
        message = b"".join(len(data).to_bytes(4, "big") + data for data in (part.encode("utf-8") for part in parts))
        first, *later = (*self._earlier, self._key)
        found = _digest(first, message)
        for key in later:
            found = Pseudonymizer(key).rotated(found)
        return found

    def patient_key(self, source: str, patient_id: str) -> str:
        """Return the key of a patient of a source."""
        return self._hash("patient", source, patient_id)

    def study_id(self, source: str, study_uid: str) -> str:
        """Return the key of a study of a source."""
        return self._hash("study", source, study_uid)

    def image_id(self, source: str, native_image_id: str) -> str:
        """Return the key of an image: SOPInstanceUID in DICOM deliveries, file name in others."""
        return self._hash("image", source, native_image_id)

    def file_id(self, source: str, relative_path: str) -> str:
        """Return the key of a delivered file by its path below the source's root."""
        return self._hash("file", source, relative_path)


def _digest(key: bytes, message: bytes) -> str:
    return hmac.new(key, message, hashlib.sha256).digest()[:_ID_BYTES].hex()
