"""Whether a report says that nothing changed, and nothing else: what such a report means stands in an earlier one.

Read on texts that the rules found to hold no label. Does not belong here: whose earlier report that is (``labels``).
"""

from __future__ import annotations

import re
import unicodedata

_UNCHANGED = re.compile(
    r"\b(inchangee?s?|stables?|superposables?|identiques?|(sans|pas de|aucune?) (changements?|modifications?))\b"
)


def says_unchanged(text: str) -> bool:
    """Tell whether a text says of what is shown that it is as it was."""
    plain = "".join(char for char in unicodedata.normalize("NFD", text.lower()) if not unicodedata.combining(char))
    return _UNCHANGED.search(" ".join(plain.split())) is not None
