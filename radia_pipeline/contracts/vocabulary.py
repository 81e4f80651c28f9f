"""The classes that the pipeline speaks of, their order and parents. Meanings of values are in ``label_values``."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache, cached_property

from radia_pipeline.contracts.location import contracts_root, read_yaml
from radia_pipeline.contracts.migrations import Migration, classes_by_version, parse_migrations, way
from radia_pipeline.errors import BadTable, UnknownName, VocabularyMismatch

KINDS = ("pathology", "finding_group", "union", "no_finding")


@dataclass(frozen=True)
class VocabularyClass:
    """One model output: its name, what kind of class it is and its direct parents."""

    name: str
    kind: str
    parents: tuple[str, ...]
    french: str


@dataclass(frozen=True)
class Vocabulary:
    """An ordered, versioned set of classes in a directed acyclic graph of parents."""

    version: str
    entries: tuple[VocabularyClass, ...]
    migrations: tuple[Migration, ...] = ()

    def __post_init__(self) -> None:
        names = {entry.name for entry in self.entries}
        if len(names) != len(self.entries):
            raise BadTable("The vocabulary names a class twice", do="give each class one entry")
        for entry in self.entries:
            if entry.kind not in KINDS:
                raise BadTable(f"Class {entry.name} has the unknown kind {entry.kind}", accepted=", ".join(KINDS))
            if unknown := set(entry.parents) - names:
                raise BadTable(f"Class {entry.name} names unknown parents: {', '.join(sorted(unknown))}")
        _ = self.topological, self.classes_by_version

    @cached_property
    def classes(self) -> tuple[str, ...]:
        """All class names in output order."""
        return tuple(entry.name for entry in self.entries)

    @cached_property
    def _by_name(self) -> dict[str, VocabularyClass]:
        return {entry.name: entry for entry in self.entries}

    def _of_kind(self, kind: str) -> tuple[str, ...]:
        return tuple(entry.name for entry in self.entries if entry.kind == kind)

    @cached_property
    def pathologies(self) -> tuple[str, ...]:
        """The 14 pathologies, in output order."""
        return self._of_kind("pathology")

    @cached_property
    def finding_groups(self) -> tuple[str, ...]:
        """Groups that a report can state by themselves."""
        return self._of_kind("finding_group")

    @cached_property
    def unions(self) -> tuple[str, ...]:
        """Groups that are nothing but the union of their children."""
        return self._of_kind("union")

    @cached_property
    def no_finding(self) -> str:
        """The class that says that nothing else was found."""
        return self._of_kind("no_finding")[0]

    def entry(self, name: str) -> VocabularyClass:
        """Return the entry of a class; raises UnknownName with the accepted names."""
        try:
            return self._by_name[name]
        except KeyError:
            raise UnknownName(f"Unknown class {name!r}", accepted=", ".join(self.classes)) from None

    def index(self, name: str) -> int:
        """Return the column of a class in every (n, classes) array."""
        return self.classes.index(self.entry(name).name)

    def parents(self, name: str) -> tuple[str, ...]:
        """Return the direct parents of a class."""
        return self.entry(name).parents

    def children(self, name: str) -> tuple[str, ...]:
        """Return the direct children of a class."""
        self.entry(name)
        return tuple(entry.name for entry in self.entries if name in entry.parents)

    def ancestors(self, name: str) -> tuple[str, ...]:
        """Return every class above ``name``, nearest first, each once."""
        found: list[str] = []
        queue = list(self.parents(name))
        while queue:
            parent = queue.pop(0)
            if parent not in found:
                found.append(parent)
                queue.extend(self.parents(parent))
        return tuple(found)

    @cached_property
    def topological(self) -> tuple[str, ...]:
        """All classes with parents before children; raises BadTable where parents run in a circle."""
        ordered: list[str] = []
        waiting = list(self.entries)
        while waiting:
            ready = [entry for entry in waiting if all(parent in ordered for parent in entry.parents)]
            if not ready:
                raise BadTable("The vocabulary's parents run in a circle", do="remove one of the links")
            ordered.extend(entry.name for entry in ready)
            waiting = [entry for entry in waiting if entry not in ready]
        return tuple(ordered)

    @cached_property
    def classes_by_version(self) -> dict[str, frozenset[str]]:
        """The classes of this version and of every one that a migration leads from."""
        return classes_by_version(self.version, self.classes, self.migrations)

    def way_from(self, version: str) -> tuple[Migration, ...]:
        """Return the migrations from an older version to this one; raises VocabularyMismatch where there is no way."""
        found = way(self.migrations, version, self.version)
        if found is None:
            raise VocabularyMismatch(
                f"No migration leads from vocabulary {version} to {self.version}",
                accepted=", ".join(sorted(self.classes_by_version)),
                do="use the release that speaks that version, or make it again with this one",
            )
        return found

    def require(self, version: str, holder: str, *, do: str = "make it again with this version") -> None:
        """Refuse ``holder`` (a lake, table, recipe or model) when it speaks another version, naming the way across.

        ``do``: what applies the migration to this kind of holder.
        """
        if version == self.version:
            return
        path = way(self.migrations, version, self.version)
        steps = " and ".join(f"{one.name} ({'; '.join(map(str, one.steps))})" for one in path or ())
        raise VocabularyMismatch(
            f"{holder} speaks vocabulary {version}",
            accepted=f"version {self.version}, which is installed",
            do=f"{do}, by the migration {steps}" if path else "make it again with this version",
        )


def parse_vocabulary(content: dict) -> Vocabulary:
    """Build a vocabulary from the mapping that ``vocabulary.yaml`` holds."""
    try:
        entries = tuple(
            VocabularyClass(entry["name"], entry["kind"], tuple(entry["parents"]), entry.get("french", entry["name"]))
            for entry in content["classes"]
        )
        migrations = parse_migrations(content.get("migrations") or ())
        return Vocabulary(str(content["version"]), entries, migrations)
    except (KeyError, TypeError) as error:
        raise BadTable(
            f"vocabulary.yaml lacks the field {error}", accepted="version, classes: name, kind, parents"
        ) from None


@cache
def vocabulary() -> Vocabulary:
    """Return the installed vocabulary (``data_contracts/vocabulary.yaml``)."""
    return parse_vocabulary(read_yaml(contracts_root() / "vocabulary.yaml"))
