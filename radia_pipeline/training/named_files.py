"""YAML files that are called by name: those that are shipped, those of a lake's own folder, or any file by its path.

One file may extend another. Light on purpose: no torch. Not here: what a file may say (recipes and
detectors, each in its own schema).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from radia_pipeline.contracts.location import parse_yaml
from radia_pipeline.errors import BadRecipe, UnknownName

WHOLE = ("kwargs", "sweep")
"""Options whose value is a mapping of its own: what stands above takes the place of what stands below."""


@dataclass(frozen=True)
class NamedFiles:
    """Files of one kind.

    ``what``: the kind's name for people; ``shipped``: where they lie; ``own``: the folder of a lake in which its own
    ones lie; ``also``: what else is accepted as a name; ``brought``: a file of an earlier release -> as it is written
    now.
    """

    what: str
    shipped: Path
    own: str
    also: str = "or the path of a .yaml file"
    brought: Callable[[dict[str, Any]], dict[str, Any]] = dict

    def names(self, lake_root: Path | None = None) -> tuple[str, ...]:
        """Return the shipped names, sorted, then those of a lake's own folder."""
        return tuple(sorted(path.stem for path in self.shipped.glob("*.yaml"))) + self.own_names(lake_root)

    def own_names(self, lake_root: Path | None) -> tuple[str, ...]:
        """Return the names of the files that lie in a lake, sorted; none without a lake."""
        return tuple(sorted(path.stem for path in (lake_root / self.own).glob("*.yaml"))) if lake_root else ()

    def locate(self, name_or_path: str | Path, lake_root: Path | None = None) -> Path:
        """Return where a file of that name, or at that path, lies.

        Raises UnknownName, and BadRecipe where a lake's own file bears a shipped one's name.
        """
        path = Path(name_or_path)
        if path.suffix in (".yaml", ".yml") and path.is_file():
            return path
        shipped = self.shipped / f"{name_or_path}.yaml"
        own = lake_root / self.own / f"{name_or_path}.yaml" if lake_root else None
        if own and own.is_file():
            if shipped.is_file():
                raise BadRecipe(
                    f"{self.what.capitalize()} {own.name} of the lake bears a shipped {self.what}'s name",
                    do="give it another name",
                )
            return own
        if shipped.is_file():
            return shipped
        raise UnknownName(
            f"Unknown {self.what} {str(name_or_path)!r}",
            accepted=", ".join(self.names(lake_root)) + f"; {self.also}",
        )

    def read(self, name_or_path: str | Path, lake_root: Path | None = None) -> dict[str, Any]:
        """Return what a file says, on what it extends, under the file's own name; raises UnknownName and BadRecipe."""
        path = self.locate(name_or_path, lake_root)
        return {"name": path.stem, **self._read(path, lake_root, ())}

    def _read(self, path: Path, lake_root: Path | None, seen: tuple[Path, ...]) -> dict[str, Any]:
        said = f"{self.what.capitalize()} {path.name}"
        if path in seen:
            raise BadRecipe(f"{said} extends itself", do="remove one extends")
        try:
            content = parse_yaml(path.read_text(encoding="utf-8"))
        except OSError as error:
            raise BadRecipe(f"{said} cannot be read ({error.strerror})", do="check the path") from error
        except (yaml.YAMLError, UnicodeDecodeError) as error:
            where = getattr(error, "problem_mark", None)
            line = f" at line {where.line + 1}" if where else ""
            raise BadRecipe(f"{said} is not YAML{line}", do="correct the file") from None
        if not isinstance(content, dict):
            raise BadRecipe(f"{said} holds no mapping", accepted="key: value lines")
        content = self.brought(content)
        base = content.pop("extends", None)
        if base is None:
            return content
        beneath = self._read(self.locate(base, lake_root), lake_root, (*seen, path))
        beneath.pop("name", None)
        return merged(beneath, content)


def merged(below: dict, above: dict) -> dict:
    """Return nested options: those above, and those below that they do not name."""
    found = dict(below)
    for key, value in above.items():
        nested = isinstance(value, dict) and isinstance(found.get(key), dict) and key not in WHOLE
        found[key] = merged(found[key], value) if nested else value
    return found


def named_by(name: str, settings: Mapping[str, str]) -> dict[str, Any]:
    """Return options as a command line gives them, ``{"optimizer.lr": "1e-3"}``, values read as YAML, with a name made
    of them unless ``name`` is among them: the file's own models stay."""
    digest = hashlib.sha256(json.dumps(dict(settings), sort_keys=True).encode()).hexdigest()[:8]
    return {"name": f"{name[:50]}_s{digest}"} | {option: yaml.safe_load(text) for option, text in settings.items()}


def as_schema(schema: dict[str, Any], *, title: str, extends: str) -> dict[str, Any]:
    """Return pydantic's schema as editors take it to check and complete files."""
    schema["$schema"] = "https://json-schema.org/draft/2020-12/schema"
    schema["title"] = title
    schema["properties"]["extends"] = {"type": "string", "description": extends}
    return schema
