"""What comments, docstrings and pages name: paths, pages and modules, and whether they lie in the repository."""

from __future__ import annotations

import ast
import io
import re
import tokenize
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
ROOMS = {path.parent.name for path in (ROOT / "radia_pipeline").glob("*/__init__.py")}
OURS = {"docs", "data_contracts", "benchmarks", "radia_pipeline", "radia_pipeline_tests", ".ci"}
"""Folders of the repository: whatever is named below them has to be there."""
ELSEWHERE = {
    "a lake": {
        "_backup",
        "_ingest",
        "_locks",
        "_rotating",
        "_versions",
        "<lake>.history",
        "checkpoints",
        "detectors",
        "ledger",
        "models",
        "packed",
        "pixels",
        "previews",
        "recipes",
        "reviews",
        "truth",
    },
    "a backup": {"history", "lake", "objects", "sets"},
    "a delivery": {"annotations", "ccsmtl", "deliveries", "dicom", "files", "images", "nih_cxr14", "test", "valid"},
    "an export": {"labels"},
    "MLflow's names of metrics": {"epoch", "final", "train"},
    "other repositories": {"PHI-De-Identification", "de-identification", "github.com"},
}
"""First parts of folders that are named and are not of the repository, by where they are."""
_PATH = re.compile(r"(?<![\w/.<>*$:-])((?:[\w<>*.-]+/)+[\w<>*.-]*|[\w-]+\.(?:py|md))(?![\w/])")
_MODULE = re.compile(r"``(?:radia_pipeline\.)?([a-z_]+)((?:\.[A-Za-z_]\w*)+)(?:\(.*?\))?``")
_NEIGHBOUR = re.compile(r"\(``([a-z_]+)``\)")
_COMMENT = re.compile(r"(?:^|\s)#\s(.*)")
_FILE = re.compile(r"\.(csv|html|j2|json|jsonl|md|onnx|parquet|py|safetensors|yaml)$")
_CHANGE = re.compile(r"^```diff\n.*?^```$", re.M | re.S)
_BEGINS_FROM = re.compile(r"^--- a/(.*)$", re.M)


def texts(path: Path) -> Iterator[str]:
    """Yield the comments and docstrings of a Python file, the comments of others, the whole of a page or of results.

    Of a change that a page shows only the files are named that it begins from: what it adds is not there yet.
    """
    content = path.read_text(encoding="utf-8")
    if path.suffix in (".md", ".json"):
        yield _CHANGE.sub(lambda found: "\n".join(_BEGINS_FROM.findall(found[0])), content)
    elif path.suffix != ".py":
        yield from (found[1] for line in content.splitlines() if (found := _COMMENT.search(line)))
    else:
        tokens = tokenize.generate_tokens(io.StringIO(content).readline)
        yield from (token.string for token in tokens if token.type == tokenize.COMMENT)
        yield from (
            node.value.value
            for node in ast.walk(ast.parse(content))
            if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)
        )


def absent_paths(text: str, place: Path) -> Iterator[str]:
    """Yield the paths named in ``text``, of the file ``place``, that should lie in the repository and do not.

    Those are: whatever stands below a folder of the repository, every ``.py`` and ``.md``, and every folder that is not
    known to be somewhere else. ``<name>`` and ``*`` stand for anything; a word in capitals stands for a file.
    """
    known = {name for names in ELSEWHERE.values() for name in names}
    for found in _PATH.finditer(text):
        name = found[1].rstrip(".")
        first, last = name.split("/")[0], name.rstrip("/").split("/")[-1]
        is_ours = first in OURS or name.endswith("/") or last.endswith((".py", ".md"))
        if is_ours and first not in known and not last.removesuffix(".py").isupper() and not _lies_there(name, place):
            yield name


def _lies_there(name: str, place: Path) -> bool:
    pattern = re.sub(r"<[^>]*>", "*", name).rstrip("/")
    bases = (ROOT, ROOT / "radia_pipeline", ROOT / "radia_pipeline_tests", place.parent)
    return any(any(base.glob(pattern)) for base in bases) or ("/" not in name and any(ROOT.glob(f"*/**/{pattern}")))


def absent_modules(text: str, place: Path) -> Iterator[str]:
    """Yield the references to modules (``room.module.name`` or ``module.name`` of the same room) that lead nowhere."""
    for found in _MODULE.finditer(text):
        first, rest = found[1], found[2].lstrip(".").split(".")
        name = ".".join([first, *rest])
        if _FILE.search(name) or not (first in ROOMS or (place.parent / f"{first}.py").exists()):
            continue
        base = ROOT / "radia_pipeline" / first if first in ROOMS else place.parent
        inner = rest if first in ROOMS else [first, *rest]
        if not _resolves(base, inner) and not _resolves(place.parent, [first, *rest]):
            yield name


def _resolves(folder: Path, parts: list[str]) -> bool:
    while parts and (folder / parts[0]).is_dir():
        folder, parts = folder / parts[0], parts[1:]
    module = folder / f"{parts[0]}.py" if parts else folder / "__init__.py"
    if not module.exists():
        return False
    return len(parts) < 2 or re.search(rf"\b{parts[1]}\b", module.read_text(encoding="utf-8")) is not None


def absent_neighbours(path: Path) -> Iterator[str]:
    """Yield the modules to which the head of a module of the package sends its reader and which are not there."""
    head = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""
    for found in _NEIGHBOUR.finditer(head):
        name = found[1]
        if name not in ROOMS and not (path.parent / f"{name}.py").exists() and not (path.parent / name).is_dir():
            yield name
