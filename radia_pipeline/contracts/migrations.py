"""Migrations of the vocabulary: named steps from one version to the next, and what becomes of a class on the way.

``vocabulary.yaml`` lists them. Here: reading the list, checking that it fits the classes, the way from an older
version, names across it. What is done to a lake's tables is in ``labels.migration``.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from radia_pipeline.errors import BadTable

ADD, MERGE, RETIRE = "add", "merge", "retire"


@dataclass(frozen=True)
class Step:
    """One change: ``add`` a class, ``merge`` some into another, or ``retire`` one. ``into``: merges only.

    A merge into a class that did not exist before is an ``add`` and then a ``merge``.
    """

    kind: str
    names: tuple[str, ...]
    into: str | None = None

    def __str__(self) -> str:
        return f"{self.kind} {', '.join(self.names)}" + (f" into {self.into}" if self.into else "")


@dataclass(frozen=True)
class Migration:
    """Named steps from version ``before`` to version ``after``."""

    name: str
    before: str
    after: str
    reason: str
    steps: tuple[Step, ...]


def parse_migrations(content: Iterable[Mapping[str, Any]]) -> tuple[Migration, ...]:
    """Read the list of ``vocabulary.yaml``; raises BadTable naming the migration that cannot be read."""
    found = []
    for number, entry in enumerate(content, start=1):
        name = entry.get("name", f"number {number}") if isinstance(entry, Mapping) else f"number {number}"
        try:
            steps = tuple(_step(step) for step in entry["steps"])
            found.append(
                Migration(str(name), str(entry["from"]), str(entry["to"]), str(entry.get("reason", "")), steps)
            )
        except (KeyError, TypeError, ValueError):
            raise BadTable(
                f"Migration {name} of the vocabulary cannot be read",
                accepted="name, from, to, reason, steps: {add: A}, {merge: [A, B], into: C} or {retire: A}",
                do="mend it in vocabulary.yaml",
            ) from None
    return tuple(found)


def _step(content: Mapping[str, Any]) -> Step:
    kinds = [kind for kind in (ADD, MERGE, RETIRE) if kind in content]
    if len(kinds) != 1 or (kinds[0] == MERGE) != ("into" in content):
        raise ValueError
    given = content[kinds[0]]
    names = tuple(given) if isinstance(given, list) else (str(given),)
    into = str(content["into"]) if kinds[0] == MERGE else None
    if not names or into in names:
        raise ValueError
    return Step(kinds[0], names, into)


def classes_by_version(
    version: str, classes: Sequence[str], migrations: Sequence[Migration]
) -> dict[str, frozenset[str]]:
    """Return the classes of each version that the list reaches, walking back from the installed one.

    Raises BadTable where the list does not end at ``version``, has a gap, or does not fit the classes. A name that was
    merged away or retired never comes back with another meaning: stored reviews and reports would silently change.
    """
    found = {version: frozenset(classes)}
    now, ever = set(classes), set(classes)
    for migration in reversed(migrations):
        if migration.after != version:
            raise BadTable(
                f"Migration {migration.name} ends at version {migration.after}, the next one begins at {version}",
                do="list every step from version to version, the newest last, up to the installed one",
            )
        for step in reversed(migration.steps):
            now = _undo(step, now, ever, migration)
            ever |= now
        version = migration.before
        if version in found:
            raise BadTable(f"Migration {migration.name} leads back to version {version}", do="raise the version")
        found[version] = frozenset(now)
    return found


def _undo(step: Step, now: set[str], ever: set[str], migration: Migration) -> set[str]:
    """Return the classes before a step. ``ever``: all names of this and later versions."""
    comes_back = bool(set(step.names) & ever)
    is_wrong = {ADD: not set(step.names) <= now, RETIRE: comes_back, MERGE: step.into not in now or comes_back}
    if is_wrong[step.kind]:
        raise BadTable(
            f"Migration {migration.name} does not fit the classes: {step}",
            accepted="added and merged-into classes stand in the vocabulary; merged and retired names never come back",
            do="mend vocabulary.yaml",
        )
    return now - set(step.names) if step.kind == ADD else now | set(step.names)


def way(migrations: Sequence[Migration], before: str, after: str) -> tuple[Migration, ...] | None:
    """Return the migrations from one version to another, in order; None where the list does not lead there."""
    path: list[Migration] = []
    version = before
    while version != after:
        step = next((one for one in migrations if one.before == version), None)
        if step is None or step in path:
            return None
        path.append(step)
        version = step.after
    return tuple(path)


def steps_of(path: Iterable[Migration]) -> list[Step]:
    """Return all steps of a way, in order."""
    return [step for migration in path for step in migration.steps]


def renamed(name: str, path: Iterable[Migration]) -> str | None:
    """Return what a class is called at the end of a way; None where it was retired."""
    for step in steps_of(path):
        if name in step.names and step.kind != ADD:
            if step.kind == RETIRE:
                return None
            name = str(step.into)
    return name
