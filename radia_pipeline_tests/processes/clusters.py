"""A Ray cluster of several nodes on this machine's loopback, with authentication, for tests and benchmarks."""

from __future__ import annotations

import contextlib
import os
import secrets
import socket
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
_PORTS = (
    "metrics_agent_port",
    "runtime_env_agent_port",
    "metrics_export_port",
    "dashboard_agent_listen_port",
    "node_manager_port",
    "object_manager_port",
)
_AWAITED = ("metrics_agent_port", "dashboard_agent_listen_port")
"""Ports that Ray waits 15 seconds for until its agents have named them; a busy machine takes longer."""


class LocalCluster:
    """Nodes at 127.0.0.2 (which only leads, unless it is given processors) and upwards."""

    def __init__(self, cluster: Any) -> None:
        self._cluster, self._next = cluster, 3

    @property
    def address(self) -> str:
        return self._cluster.address

    def add(self, processors: int = 1, **env: str) -> Any:
        """Start a node; returns what ``kill`` takes."""
        address, self._next = f"127.0.0.{self._next}", self._next + 1
        return self._cluster.add_node(wait=False, env_vars=env, **_arguments(address, processors))

    def kill(self, node: Any) -> None:
        """End a node's processes with SIGKILL, all at once."""
        self._cluster.remove_node(node, allow_graceful=False)


@contextlib.contextmanager
def local_cluster(folder: Path, *, processors: int = 0, env: Mapping[str, str] | None = None) -> Iterator[LocalCluster]:
    """Start a cluster whose head offers so many processors; ends with the context, and so do its nodes.

    ``folder``: where a module is left out that a tool of the extra ``dev`` brings: jsonschema compiles a grammar with
    it, for seconds of each process of Ray's.
    """
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "rfc3987_syntax.py").write_text("raise ImportError\n")
    variables = {
        "RAY_AUTH_MODE": "token",
        "RAY_AUTH_TOKEN": secrets.token_hex(32),
        "RAY_USAGE_STATS_ENABLED": "0",
        "RAY_health_check_period_ms": "1000",
        "RAY_health_check_failure_threshold": "5",
        "RAY_raylet_start_wait_time_s": "120",
        "RAY_gcs_server_request_timeout_seconds": "120",
        "PYTHONPATH": os.pathsep.join([str(folder), str(ROOT)]),
        **(env or {}),
    }
    before = {name: os.environ.get(name) for name in variables}
    os.environ.update(variables)
    try:
        import ray
        from ray.cluster_utils import Cluster

        _need_no_dashboard()
        cluster = Cluster(
            initialize_head=True, connect=False, head_node_args=_arguments("127.0.0.2", processors, no_monitor=True)
        )
        try:
            yield LocalCluster(cluster)
        finally:
            ray.shutdown()
            cluster.shutdown()
    finally:
        for name, value in before.items():
            os.environ.pop(name, None)
            if value is not None:
                os.environ[name] = value


def _arguments(address: str, processors: int, **more: object) -> dict[str, Any]:
    return {
        "node_ip_address": address,
        "num_cpus": processors,
        "object_store_memory": 80_000_000,
        "min_worker_port": 0,
        "max_worker_port": 0,
        "include_dashboard": False,
        "include_log_monitor": False,
        **_free_ports(address),
        **more,
    }


def _free_ports(address: str) -> dict[str, int]:
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in _PORTS]
        for one in sockets:
            one.bind((address, 0))
        return dict(zip(_PORTS, (one.getsockname()[1] for one in sockets), strict=True))


def _need_no_dashboard() -> None:
    """Start nodes without Ray's page, and with the ports written down that they would wait for."""
    from ray._private.node import Node

    if getattr(Node, "is_without_pages", False):
        return
    start = Node.start_ray_processes

    def start_with_ports(self: Any) -> Any:
        for name in _AWAITED:
            path = Path(self.get_session_dir_path()) / f"{name}_{self._node_id}"
            path.write_text(str(getattr(self._ray_params, name)))
        return start(self)

    Node.start_ray_processes, Node.start_api_server = start_with_ports, lambda *_, **__: None
    Node.is_without_pages = True
