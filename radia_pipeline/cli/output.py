"""What the commands of ``radia`` print on standard output. No command is defined here."""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Mapping
from typing import Any

import click


def print_json(content: Mapping[str, Any]) -> None:
    """Print one JSON object on one line of standard output; a figure that does not exist is null."""
    sys.stdout.write(json.dumps(_finite(content), ensure_ascii=False, allow_nan=False) + "\n")
    sys.stdout.flush()


def _finite(content: Any) -> Any:
    """Return plain data with null in the place of numbers that JSON has not."""
    if isinstance(content, Mapping):
        return {name: _finite(value) for name, value in content.items()}
    if isinstance(content, list | tuple):
        return [_finite(value) for value in content]
    return None if isinstance(content, float) and not math.isfinite(content) else content


def print_result(content: Mapping[str, Any], text: str, as_json: bool) -> None:
    """Print a result: as one JSON object, or in words for a person."""
    print_json(content) if as_json else click.echo(text)


def pairs(content: Mapping[str, Any]) -> str:
    """Return one line for each entry: ``name: value``, numbers with four significant digits."""
    return "\n".join(
        f"{name}: {value:.4g}" if isinstance(value, float) else f"{name}: {value}" for name, value in content.items()
    )
