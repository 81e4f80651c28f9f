"""The parent's end of a Ray cluster: portions of tasks go to the nodes' parents, answers come back once each.

The only module that imports Ray. A node that is lost gives its portions back; one that joins late gets some; one that
is slow is overtaken at the end; one of another version, key or view of the data gets none. Nothing is written here.
"""

from __future__ import annotations

import contextlib
import itertools
import logging
import os
import secrets
import signal
import threading
import time
from collections import Counter, deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from radia_pipeline.errors import BadFrame, BadInput, RunFailed
from radia_pipeline.processes.frames import Frame
from radia_pipeline.processes.node import NodeParent, facts_here
from radia_pipeline.processes.pool import Answer, Work
from radia_pipeline.processes.portions import Tasks, answers_of, order_of
from radia_pipeline.processes.where import Where

PORTION = 100
"""Tasks of one portion: seconds of work, so that little is done again when a node is lost."""
AHEAD = 2
"""Portions at a node: one that is worked on and one that waits."""
_ATTEMPTS = 5
"""How often a portion may lose its node before the portion is to blame."""
LOOK_EVERY_S, WAIT_S = 2.0, 90.0
"""How often nodes are counted, and how long a run waits for one where none is left."""
_TOKENS = ("RAY_AUTH_TOKEN", "RAY_AUTH_TOKEN_PATH")
_connected: list[str] = []
_lock = threading.Lock()


@dataclass(eq=False)
class _Portion:
    tasks: Tasks
    order: bytes
    copies: int = 0
    losses: int = 0
    is_done: bool = False


@dataclass(eq=False)
class _Node:
    """``is_fit`` is None until the node has said what it is."""

    name: str
    actor: Any
    is_fit: bool | None = None
    workers: int = 0
    done: int = 0
    under_way: dict[Any, _Portion | None] = field(default_factory=dict)


@dataclass(frozen=True)
class NodeReport:
    """One node as ``examine`` finds it; ``problems`` empty: it would be given work."""

    node: str
    workers: int
    problems: tuple[str, ...] = ()


def map_on_nodes(
    work: Work, tasks: Iterable[Frame], *, window: int | None, where: Where
) -> Iterator[tuple[int, Answer]]:
    """Do as ``items.map_items`` says, on the cluster at ``where.address``."""
    ray = connect(where.address)
    with _probes(where.writes) as probes, contextlib.closing(_Dispatch(ray, work, tasks, window, where, probes)) as run:
        yield from run.answers()


def examine(where: Where, *, patience_s: float = 60.0) -> list[NodeReport]:
    """Ask each node of a cluster what it is; returns what is missing where. Raises RunFailed, BadInput."""
    ray, found = connect(where.address), []
    with _probes(where.writes) as probes:
        asked = _Question(where, probes)
        nodes = [(one, _start(ray, one)) for one in _alive(ray)]
        answers = [(one, actor, actor.facts.remote(*asked.words)) for one, actor in nodes]
        deadline = time.monotonic() + patience_s
        for one, actor, answer in answers:
            try:
                facts = ray.get(answer, timeout=max(0.1, deadline - time.monotonic()))
                found.append(NodeReport(_name(one), facts["workers"], asked.problems(facts)))
            except Exception as error:  # whatever a node of another version raises while it is asked
                found.append(NodeReport(_name(one), 0, (_in_words(error),)))
            ray.kill(actor)
    return sorted(found, key=lambda one: one.node)


def connect(address: str) -> Any:
    """Return Ray, connected with a cluster; raises BadInput without Ray or a token, RunFailed where nobody answers."""
    _require_token()
    os.environ.update(RAY_AUTH_MODE="token", RAY_USAGE_STATS_ENABLED="0")
    try:
        import ray
    except ImportError:
        raise BadInput(
            "This pool needs Ray, which is not installed", do="pip install 'radia-pipeline[ray]', or choose pool local"
        ) from None
    with _lock:
        if ray.is_initialized() and _connected == [address]:
            return ray
        if ray.is_initialized():
            ray.shutdown()
        _connected[:] = []
        with _own_signals():
            try:
                ray.init(
                    address,
                    namespace="radia",
                    log_to_driver=False,
                    logging_level=logging.ERROR,
                    job_config=_own_code(ray),
                )
            except Exception as error:  # Ray raises its own, Python's and gRPC's
                raise RunFailed(
                    f"The cluster at {address} cannot be joined ({type(error).__name__})",
                    do="check that it runs, that its token is this machine's and that versions of Ray and Python agree",
                ) from None
        _connected[:] = [address]
    return ray


class _Kept(list):
    """A list that stays as it is."""

    def extend(self, _more: Iterable[str]) -> None:
        """Take nothing."""


def _own_code(ray: Any) -> Any:
    """Return a job by which nodes run what is installed there: Ray would let them import from this process's folder."""
    job = ray.job_config.JobConfig()
    job._py_driver_sys_path = _Kept()
    return job


def _require_token() -> None:
    kept = Path.home() / ".ray" / "auth_token"
    if not any(os.environ.get(name) for name in _TOKENS) and not kept.exists():
        raise BadInput(
            "A cluster is only used with authentication, and there is no token",
            accepted=f"{' or '.join(_TOKENS)} in the environment, or {kept}",
            do="put the cluster's token there (deploy/ray says how it is made)",
        )


@contextlib.contextmanager
def _own_signals() -> Iterator[None]:
    """Keep this process's handlers: Ray puts one of its own in their place."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    kept = {one: signal.getsignal(one) for one in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield
    finally:
        for one, handler in kept.items():
            signal.signal(one, handler)


@contextlib.contextmanager
def _probes(folders: Iterable[str]) -> Iterator[list[str]]:
    """Make a file of a fresh name in each folder, by which nodes tell that it is the same; they are removed again."""
    made = [Path(folder) / f".seen-by-nodes-{secrets.token_hex(8)}" for folder in folders]
    try:
        for path in made:
            path.touch()
        yield [str(path) for path in made]
    finally:
        for path in made:
            path.unlink(missing_ok=True)


class _Question:
    """What nodes are asked, and what is wrong with an answer."""

    def __init__(self, where: Where, probes: list[str]) -> None:
        self._where = where
        self.words = (secrets.token_hex(16), list(where.reads), probes)
        self._here = facts_here(*self.words)

    def problems(self, facts: dict[str, Any]) -> tuple[str, ...]:
        here, found = self._here, []
        if facts["version"] != here["version"]:
            found.append("another version of radia-pipeline or of its contracts: install the parent's")
        if facts["python"] != here["python"]:
            found.append(f"Python {facts['python']}: install {here['python']}")
        for name, wanted in here["packages"].items():
            if facts["packages"].get(name) != wanted:
                found.append(f"{name} {facts['packages'].get(name, 'absent')}: install {wanted}")
        if self._where.key is not None and facts["key"] != self._where.key:
            found.append("another pseudonym key: set RADIA_PSEUDONYM_KEY where the node is started")
        found += [
            f"{path} is absent or another folder: mount it"
            for path, seen in facts["reads"].items()
            if seen != here["reads"][path]
        ]
        found += [
            f"{Path(path).parent} is not shared or not writable: mount it"
            for path, sees in facts["writes"].items()
            if not sees
        ]
        if facts["authentication"] != "token":
            found.append("runs without authentication: set RAY_AUTH_MODE=token where it is started")
        return tuple(found)


class _Dispatch:
    def __init__(
        self, ray: Any, work: Work, tasks: Iterable[Frame], window: int | None, where: Where, probes: list[str]
    ) -> None:
        self._ray, self._work, self._where = ray, work, where
        self._numbered, self._window = iter(enumerate(tasks)), window
        self._portion = PORTION if window is None else max(1, min(PORTION, window // AHEAD))
        self._asked = _Question(where, probes)
        self._nodes: dict[str, _Node] = {}
        self._refused: dict[str, tuple[str, ...]] = {}
        self._losses: Counter[str] = Counter()
        self._again: deque[_Portion] = deque()
        self._open: dict[int, _Portion] = {}
        self._is_drained, self._looked_s, self._lonely_s = False, 0.0, time.monotonic()

    def answers(self) -> Iterator[tuple[int, Answer]]:
        while True:
            self._look()
            for node in list(self._nodes.values()):
                self._feed(node)
            if self._is_drained and not self._open:
                return
            self._require_nodes()
            refs = [ref for node in self._nodes.values() for ref in node.under_way]
            if not refs:
                time.sleep(0.1)
                continue
            ready, _ = self._ray.wait(refs, num_returns=1, timeout=1.0)
            for ref in ready:
                yield from self._receive(ref)

    def close(self) -> None:
        """End what nodes still do for this call; those that are idle end too, and leave nothing behind."""
        for node in self._nodes.values():
            with contextlib.suppress(Exception):  # a node or a cluster that has gone has ended already
                self._ray.kill(node.actor)
        shares = ", ".join(f"{node.name} {node.done}" for node in self._nodes.values() if node.done)
        if shares:
            self._where.tell(f"Portions worked by node: {shares}")
        self._nodes.clear()

    def _look(self) -> None:
        """Find nodes that have joined or gone."""
        if time.monotonic() - self._looked_s < LOOK_EVERY_S:
            return
        self._looked_s = time.monotonic()
        alive = {one["NodeID"]: one for one in _alive(self._ray)}
        for name in set(self._nodes) - set(alive):
            self._lose(name)
        for name, one in alive.items():
            if name not in self._nodes and name not in self._refused:
                node = self._nodes[name] = _Node(_name(one), _start(self._ray, one))
                node.under_way[node.actor.facts.remote(*self._asked.words)] = None

    def _require_nodes(self) -> None:
        if self._nodes:
            self._lonely_s = time.monotonic()
        elif self._refused and self._looked_s and len(self._refused) >= len(_alive(self._ray)):
            told = "; ".join(sorted({problem for problems in self._refused.values() for problem in problems}))
            raise RunFailed(f"No node of the cluster can be used: {told}", do="see `radia cluster check`")
        elif time.monotonic() - self._lonely_s > WAIT_S:
            raise RunFailed(
                "No node of the cluster is left; what was published is intact",
                do="start nodes, then run again: it continues where it stopped",
            )

    def _feed(self, node: _Node) -> None:
        while node.is_fit and len(node.under_way) < AHEAD:
            portion = self._next(node)
            if portion is None:
                return
            portion.copies += 1
            node.under_way[node.actor.work.remote(portion.order)] = portion

    def _next(self, node: _Node) -> _Portion | None:
        if self._again:
            return self._again.popleft()
        return self._drawn() or (self._overtaken(node) if not node.under_way else None)

    def _drawn(self) -> _Portion | None:
        """Take the next tasks, unless the consumer's window is full."""
        ahead = self._portion * AHEAD * max(1, sum(bool(node.is_fit) for node in self._nodes.values()))
        is_full = self._window is not None and len(self._open) * self._portion >= ahead
        if self._is_drained or is_full:
            return None
        tasks = list(itertools.islice(self._numbered, self._portion))
        self._is_drained = len(tasks) < self._portion
        if not tasks:
            return None
        portion = self._open[tasks[0][0]] = _Portion(tasks, order_of(self._work, tasks))
        return portion

    def _overtaken(self, idle: _Node) -> _Portion | None:
        """Return a portion that another node has and that an idle one does as well: the one least begun first."""
        waiting = [
            (portion.copies, place == 0, min(number for number, _ in portion.tasks), portion)
            for node in self._nodes.values()
            if node is not idle
            for place, portion in enumerate(node.under_way.values())
            if portion is not None and not portion.is_done and portion.copies < AHEAD
        ]
        return min(waiting, key=lambda one: one[:3])[3] if waiting else None

    def _receive(self, ref: Any) -> Iterator[tuple[int, Answer]]:
        name, node = next((name, node) for name, node in self._nodes.items() if ref in node.under_way)
        try:
            said = self._ray.get(ref)
        except self._ray.exceptions.RayTaskError as error:
            self._refuse(name, _in_words(error))
            return
        except self._ray.exceptions.RayError:
            self._lose(name)
            return
        portion = node.under_way.pop(ref)
        if portion is None:
            self._admit(name, node, said)
            return
        try:
            answers = answers_of(said, portion.tasks, self._work.caps)
        except BadFrame as error:
            node.under_way[ref] = portion
            self._refuse(name, error.received)
            return
        node.done += 1
        portion.copies -= 1
        if not portion.is_done:
            portion.is_done = True
            del self._open[portion.tasks[0][0]]
            yield from answers

    def _admit(self, name: str, node: _Node, facts: dict[str, Any]) -> None:
        problems = self._asked.problems(facts)
        if problems:
            self._refuse(name, *problems)
            return
        node.is_fit, node.workers = True, facts["workers"]
        self._where.tell(f"Node {node.name} works with {node.workers} processes")

    def _refuse(self, name: str, *problems: str) -> None:
        self._refused[name] = problems
        self._where.tell(f"Node {self._nodes[name].name} is refused: {'; '.join(problems)}")
        with contextlib.suppress(Exception):  # it may have gone meanwhile
            self._ray.kill(self._nodes[name].actor)
        self._give_back(self._nodes.pop(name))

    def _lose(self, name: str) -> None:
        self._losses[name] += 1
        if self._losses[name] >= _ATTEMPTS:
            self._refuse(name, "its process ended again and again: look whether memory is left there")
            return
        node = self._nodes.pop(name)
        self._where.tell(f"Node {node.name} is lost; what it was given goes to others")
        self._give_back(node)

    def _give_back(self, node: _Node) -> None:
        for portion in filter(None, node.under_way.values()):
            portion.copies -= 1
            portion.losses += 1
            if portion.losses >= _ATTEMPTS:
                raise RunFailed(
                    f"{_ATTEMPTS} nodes were lost over the same {len(portion.tasks)} files; earlier tables are intact",
                    do="look whether memory is left on the nodes, then run again",
                )
            if not portion.is_done and not portion.copies:
                self._again.append(portion)


def _alive(ray: Any) -> list[dict[str, Any]]:
    """Return the nodes that are there and offer processors."""
    return [one for one in ray.nodes() if one["Alive"] and one["Resources"].get("CPU", 0) >= 1]


def _name(node: dict[str, Any]) -> str:
    return f"{node['NodeManagerAddress']}/{node['NodeID'][:6]}"


def _start(ray: Any, node: dict[str, Any]) -> Any:
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

    there = NodeAffinitySchedulingStrategy(node["NodeID"], soft=False)
    kind = ray.remote(NodeParent).options(num_cpus=0, max_restarts=0, scheduling_strategy=there)
    return kind.remote(int(node["Resources"]["CPU"]))


def _in_words(error: BaseException) -> str:
    """Return what a node's error is, without its words, which could quote a task."""
    cause = getattr(error, "cause", None)
    return f"its process failed ({type(cause or error).__name__}): install the parent's version"
