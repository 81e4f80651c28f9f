"""Why a delivered file is refused: the closed list; ``errors.Refusal`` carries one reason. No rule lives here.

The list is that of ``data_contracts/quarantine.yaml``; a test holds both together. A new reason needs words as well:
``usecases.refusals``, ``usecases.quarantined``, ``review/french_reasons.yaml``.
"""

from __future__ import annotations

EMPTY_FILE = "empty_file"
UNREADABLE = "unreadable"
NOT_AN_IMAGE = "not_an_image"
HEADERLESS_DICOM = "headerless_dicom"
BROKEN_CONTAINER = "broken_container"
TRUNCATED = "truncated"
UNSUPPORTED_SYNTAX = "unsupported_syntax"
DECODE_FAILED = "decode_failed"
LYING_HEADER = "lying_header"
TOO_LARGE = "too_large"
TOO_MANY_FRAMES = "too_many_frames"
NOT_GREY = "not_grey"
NOT_A_RADIOGRAPH = "not_a_radiograph"
IDENTITY_IN_HEADER = "identity_in_header"
IDENTITY_IN_PIXELS = "identity_in_pixels"
UNAUDITED_PIXELS = "unaudited_pixels"
MISSING_IDENTIFIER = "missing_identifier"
UNKNOWN_TO_TABLE = "unknown_to_table"
UID_CONFLICT = "uid_conflict"
DECODER_CRASHED = "decoder_crashed"
DECODER_TIMEOUT = "decoder_timeout"
CHANGED_WHILE_READ = "changed_while_read"

REASONS = frozenset(
    value for name, value in list(globals().items()) if name.isupper() and name != "REASONS" and isinstance(value, str)
)
