"""The page of a recipe's options, made from what validates recipes: ``docs/recipe_options.md``."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from pydantic import BaseModel

from radia_pipeline.training.picture_sections import NormalisationSection
from radia_pipeline.training.recipe_schema import Recipe, SweepRange
from radia_pipeline.training.recipes import load_recipe, recipe_names

HEAD = """# Options of a recipe

Every option with what it may be and its default. This page comes from what validates recipes; editors complete the same
from `recipe.schema.json`. Any other key is refused with the key that was probably meant. `extends` takes
another recipe's options as defaults. What a recipe does not name has its default, and changes nothing of its identity.

| option | values | default | meaning |
| --- | --- | --- | --- |
"""
TAIL = """
Recipes that ship use them so:

| recipe | what it is |
| --- | --- |
"""
NUMBERS = {"integer": "whole number", "number": "number", "boolean": "true, false", "string": "text", "null": "none"}
BOUNDS = {"minimum": "from", "exclusiveMinimum": "above", "maximum": "to", "exclusiveMaximum": "below"}


def page() -> str:
    """Return the page, Markdown."""
    lines = [f"| `{option}` | {values} | {default} | {words} |\n" for option, values, default, words in options()]
    shipped = [f"| `{name}` | {load_recipe(name).title} |\n" for name in recipe_names()]
    return HEAD + "".join(lines) + TAIL + "".join(shipped)


def options() -> Iterator[tuple[str, str, str, str]]:
    """Yield every option: dotted path, values, default, meaning."""
    yield from _of(Recipe, "")
    yield from _of(NormalisationSection, "input.normalisation.")
    yield from _of(SweepRange, "sweep.OPTION.")


def _of(model: type[BaseModel], prefix: str) -> Iterator[tuple[str, str, str, str]]:
    schema = model.model_json_schema()
    for name, field in model.model_fields.items():
        kind = field.annotation
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            yield from _of(kind, f"{prefix}{name}.")
            continue
        shown = "" if field.is_required() else f"`{_plain(field.get_default(call_default_factory=True))}`"
        values = _values(schema["properties"][name])
        yield f"{prefix}{name}", values, shown, (field.description or "").replace("|", "or")


def _values(schema: dict[str, Any]) -> str:
    """What JSON schema lets in, in words."""
    if "anyOf" in schema:
        return ", or ".join(dict.fromkeys(_values(one) for one in schema["anyOf"]))
    if "$ref" in schema:
        return "a mapping"
    if "enum" in schema:
        return ", ".join(f"`{word}`" for word in schema["enum"])
    if schema.get("type") == "array":
        of = schema.get("items") or (schema.get("prefixItems") or [{}])[0]
        return f"list of {_values(of)}"
    if schema.get("type") == "object":
        return "a mapping"
    bounds = [f"{words} {schema[key]:g}" for key, words in BOUNDS.items() if key in schema]
    return " ".join([NUMBERS.get(schema.get("type", ""), "anything"), *bounds])


def _plain(value: Any) -> str:
    return json.dumps(list(value) if isinstance(value, tuple) else value)
