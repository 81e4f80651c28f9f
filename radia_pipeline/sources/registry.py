"""Which source adapters exist: the one list of them, and finding them under a root."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from radia_pipeline.errors import NoLayout, UnknownName
from radia_pipeline.sources.base import Source
from radia_pipeline.sources.brax import Brax
from radia_pipeline.sources.ccsmtl import Ccsmtl
from radia_pipeline.sources.chexpert import CheXpert
from radia_pipeline.sources.mimic_cxr import MimicCxr
from radia_pipeline.sources.nih_cxr14 import NihCxr14
from radia_pipeline.sources.padchest import PadChest
from radia_pipeline.sources.vindr_cxr import VinDrCxr

_ADAPTERS: tuple[Source, ...] = (
    Brax(),
    Ccsmtl(),
    CheXpert(),
    MimicCxr(),
    NihCxr14(),
    PadChest(),
    VinDrCxr(),
)
_SOURCES = {adapter.name: adapter for adapter in _ADAPTERS}


def registered() -> tuple[str, ...]:
    """Return the names of all adapters, sorted: these are the partitions."""
    return tuple(sorted(_SOURCES))


def source(name: str) -> Source:
    """Return one adapter; raises UnknownName listing the others."""
    try:
        return _SOURCES[name]
    except KeyError:
        raise UnknownName(f"Unknown source {name!r}", accepted=", ".join(registered())) from None


def locate(name: str, sources_root: Path) -> Path:
    """Return the folder of one source's layout under a root; raises NoLayout."""
    found = source(name).locate(Path(sources_root))
    if found is None:
        raise NoLayout(
            f"No {name} delivery under {sources_root}{_resemblance(Path(sources_root), [name])}",
            accepted=f"the layout that data_contracts/sources/{name}.yaml describes, "
            f"in a sub-folder named {name} or in the folder itself",
            do="check the folder that was given, or leave this source out",
        )
    return found


def locate_all(sources_root: Path, names: Iterable[str] | None = None) -> tuple[dict[str, Path], tuple[str, ...]]:
    """Return the folders of the sources that are present and the names of those that are absent.

    Raises NoLayout where none is present, UnknownName where a name is none.
    """
    wanted = tuple(names) if names else registered()
    located = {name: source(name).locate(Path(sources_root)) for name in wanted}
    present = {name: root for name, root in located.items() if root is not None}
    if not present:
        raise NoLayout(
            f"No known dataset layout under {sources_root}{_resemblance(Path(sources_root), wanted)}",
            accepted=", ".join(wanted) + " (layouts: data_contracts/sources/*.yaml)",
            do="give the folder that holds the datasets' own folders",
        )
    return present, tuple(name for name in wanted if name not in present)


def _resemblance(sources_root: Path, names: Iterable[str]) -> str:
    """Say which dataset a folder or one in it looks like, and what is missing of its layout; else nothing."""
    folders = [sources_root, *sorted(path for path in sources_root.glob("*") if path.is_dir())]
    best: tuple[int, str] = (0, "")
    for folder in folders if sources_root.is_dir() else ():
        for name in names:
            adapter = source(name)
            there = [part for part, patterns in adapter.parts if any(_any(folder, one) for one in patterns)]
            missing = [part for part, _ in adapter.parts if part not in there]
            other = adapter.mistaken(folder)
            where = "it" if folder == sources_root else f"the folder {folder.name} in it"
            if other:
                return f"; {where} looks like {name}, but {other}"
            if there and missing and len(there) > best[0]:
                best = len(there), f"; {where} looks like {name}: {' and '.join(missing)} missing"
    return best[1]


def _any(folder: Path, pattern: str) -> bool:
    return next(folder.glob(pattern), None) is not None
