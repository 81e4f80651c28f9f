"""The version of the rules by which a delivered file is judged and rendered; light, since answers name it too."""

from __future__ import annotations

RULES_VERSION = "8"
"""Changes whenever the same file could come to another verdict or picture; every file is then looked at again."""
