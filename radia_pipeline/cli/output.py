"""What the commands of ``radia`` print on standard output. No command is defined here."""

from __future__ import annotations

import json
import sys
from typing import Any


def print_json(content: dict[str, Any]) -> None:
    """Print one JSON object on one line of standard output."""
    sys.stdout.write(json.dumps(content, ensure_ascii=False) + "\n")
    sys.stdout.flush()
