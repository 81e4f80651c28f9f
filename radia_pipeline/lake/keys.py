"""Keyed hashes in the place of native identifiers, and the fingerprint that binds a lake to its key."""

from __future__ import annotations

import hashlib
import hmac
import os
import re
import warnings

from radia_pipeline.errors import BadInput, DamagedFile, KeyMismatch
from radia_pipeline.lake import atomic
from radia_pipeline.lake.lake import Lake

KEY_VARIABLE = "RADIA_PSEUDONYM_KEY"
DEMO_KEY = b"radia public demo key: never use it for a hospital's data"
MIN_KEY_CHARACTERS = 16
_FINGERPRINT = re.compile("[0-9a-f]{64}")
_ID_BYTES = 16  # 128 bits: no collision among any number of images that a hospital can have


class DemoKeyWarning(UserWarning):
    """The public demo key is in use, so that anybody can recompute the pseudonyms."""


class Pseudonymizer:
    """Turns native identifiers into 32 hexadecimal characters: HMAC-SHA256 over kind, source and value."""

    def __init__(self, key: bytes) -> None:
        self._key = key

    @property
    def fingerprint(self) -> str:
        """A public hash by which a lake recognises the key without holding it."""
        return hashlib.sha256(b"radia key fingerprint\0" + self._key).hexdigest()

    @classmethod
    def from_environment(cls, lake: Lake) -> Pseudonymizer:
        """Take the key from RADIA_PSEUDONYM_KEY (unset: the demo key, with a warning) and bind the lake to it.

        Raises KeyMismatch where the lake was made with another key: every patient would silently change pool.
        """
        text = os.environ.get(KEY_VARIABLE)
        if text is None:
            warnings.warn(
                f"{KEY_VARIABLE} is not set: the public demo key is used, fit for invented or public data only",
                DemoKeyWarning,
                stacklevel=2,
            )
            key = DEMO_KEY
        elif len(text) < MIN_KEY_CHARACTERS:
            raise BadInput(f"{KEY_VARIABLE} is too short", accepted=f"at least {MIN_KEY_CHARACTERS} characters")
        else:
            key = text.encode("utf-8")
        keys = cls(key)
        keys.bind(lake)
        return keys

    def bind(self, lake: Lake) -> None:
        """Store the fingerprint with a new lake, or compare it with an old one's."""
        path = lake.root / "key_fingerprint.txt"
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

    @classmethod
    def is_demo(cls, lake: Lake) -> bool:
        """Tell whether a lake was made with the public demo key: then it holds invented or public data only."""
        path = lake.root / "key_fingerprint.txt"
        return path.exists() and path.read_text(encoding="utf-8").strip() == cls(DEMO_KEY).fingerprint

    def _hash(self, *parts: str) -> str:
        message = b"".join(len(data).to_bytes(4, "big") + data for data in (part.encode("utf-8") for part in parts))
        return hmac.new(self._key, message, hashlib.sha256).digest()[:_ID_BYTES].hex()

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
