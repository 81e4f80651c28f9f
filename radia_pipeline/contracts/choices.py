"""Choices by name: a table says what may be written and what does it; schema, error and test are made from the table.

Here: the form of such tables. Not here: the tables; each stands with what offers the choice.
"""

from __future__ import annotations

from collections.abc import ItemsView, Iterator, Mapping
from functools import reduce
from importlib import import_module
from typing import Any, Generic, TypeVar

from radia_pipeline.errors import UnknownName

Entry = TypeVar("Entry")


class Table(Generic[Entry]):
    """Names in the order in which people see them, each with its entry. ``what``: what a name chooses, in words."""

    def __init__(self, what: str, entries: Mapping[str, Entry]) -> None:
        self.what, self._entries = what, dict(entries)

    def __getitem__(self, name: str) -> Entry:
        """The entry of a name; raises UnknownName, which lists the names."""
        if name not in self._entries:
            raise UnknownName(f"Unknown {self.what} {name!r}", accepted=", ".join(self._entries))
        return self._entries[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._entries)

    def __len__(self) -> int:
        return len(self._entries)

    def __contains__(self, name: object) -> bool:
        return name in self._entries

    def items(self) -> ItemsView[str, Entry]:
        """Names with their entries."""
        return self._entries.items()


class Later:
    """A function or class by its place, ``module:name``, imported when it is called: the table that names it is light.

    A test resolves every place that stands in a table.
    """

    def __init__(self, place: str) -> None:
        self.place = place

    def found(self) -> Any:
        """Import and return it; raises ImportError or AttributeError where it is not there."""
        module, _, name = self.place.partition(":")
        return reduce(getattr, name.split("."), import_module(module))

    def __call__(self, *arguments: Any, **options: Any) -> Any:
        """Call it."""
        return self.found()(*arguments, **options)
