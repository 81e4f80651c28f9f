"""How one server is run: where it listens, who its users are, what a request may cost. Numbers and names only."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from radia_pipeline.errors import BadInput
from radia_pipeline.privacy.limits import DEFAULT_LIMITS
from radia_pipeline.servers.names import own_hosts, own_origins

_NAME = re.compile(r"[\w.-]{1,64}")
_HOST = re.compile(r"[a-zA-Z0-9.-]{1,253}(:[0-9]{1,5})?")


@dataclass(frozen=True)
class Settings:
    """``reader``: who sits at this machine. ``proxy``: the address of which alone ``user_header`` is believed.
    ``public_hosts``: names (with a port, where it is not the usual one) under which a proxy shows the server.
    ``cells``: files of cells to read. ``most_at_once``: predictions that are computed at the same time;
    ``most_waiting``: those that wait. ``idle_s``, ``least_rate``: how slow a body may come, in seconds and bytes/s.
    ``counts_answers``: whether the API's answers are counted by day, in the lake.
    """

    port: int
    reader: str = "local"
    proxy: str | None = None
    user_header: str = "X-Remote-User"
    public_hosts: tuple[str, ...] = ()
    cells: tuple[Path, ...] = ()
    source: str = "ccsmtl"
    counts_answers: bool = False
    most_body_bytes: int = DEFAULT_LIMITS.file_bytes
    most_json_bytes: int = 1 << 20
    most_at_once: int = 1
    most_waiting: int = 7
    idle_s: float = 15.0
    least_rate: float = 64 * 1024.0
    most_uploads: int = 8
    most_upload_bytes: int = 2 * DEFAULT_LIMITS.file_bytes
    upload_lives_s: float = 900.0

    def __post_init__(self) -> None:
        if not _NAME.fullmatch(self.reader):
            raise BadInput("A reader's code that cannot be stored", accepted="1 to 64 letters, digits, '_', '.', '-'")
        if not all(_HOST.fullmatch(name) for name in self.public_hosts):
            raise BadInput("A public host that is none", accepted="a name, or name:port, without http://")
        if not re.fullmatch(r"[A-Za-z0-9-]{1,64}", self.user_header):
            raise BadInput("A header that is none", accepted="letters, digits and '-'")

    @property
    def hosts(self) -> frozenset[str]:
        """What a request's Host may be."""
        return own_hosts(self.port, self.public_hosts)

    @property
    def origins(self) -> frozenset[str]:
        """What a request's Origin may be."""
        return own_origins(self.port, self.public_hosts)
