"""The page of further augmentations, made from the table that refuses everything else: ``docs/augmentations.md``."""

from __future__ import annotations

from typing import Any

from radia_pipeline.training.further import FURTHER, Further

HEAD = """# Further augmentations

Beside the original's five a recipe may name these transforms of [albumentations](https://albumentations.ai/docs/)
with the library's own parameters in `augmentation.also`, and so may a detector's file. They follow the five, in the
order in which they are written, and are drawn for each sample from its own seed. Where *moves* stands, the picture is
resampled a second time, and boxes move with it. Any other name or parameter is refused; this page comes from the table
that refuses it.

```yaml
augmentation:
  affine: {p: 0.8}
  also:
    - RandomGamma: {gamma_limit: [70, 140], p: 0.5}
    - GaussNoise: {std_range: [0.01, 0.05]}
```

The library stays below 2.1: 2.0.8 is the last release under the MIT licence, its successor is under the AGPL.

| transform | what it does | parameters and their defaults |
| --- | --- | --- |
"""


def page() -> str:
    """Return the page, Markdown."""
    return HEAD + "".join(
        f"| `{name}` | {transform.words}{' *moves*' if transform.moves else ''} | {_defaults(transform)} |\n"
        for name, transform in FURTHER.items()
    )


def _defaults(transform: Further) -> str:
    shown = {**{key: option.default for key, option in transform.options.items()}, "p": transform.p}
    return ", ".join(f"`{key}` {_word(value)}" for key, value in shown.items())


def _word(value: Any) -> str:
    if isinstance(value, tuple):
        return "[" + ", ".join(_word(one) for one in value) + "]"
    if value is None or isinstance(value, bool):
        return "none" if value is None else str(value).lower()
    return f"{value:.4g}" if isinstance(value, float) else str(value)
