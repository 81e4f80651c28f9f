"""What the operating system says of processes and of the doors that they hold open. Only looked at, never touched.

Linux' /proc alone; what belongs to other users and may not be read is passed over.
"""

from __future__ import annotations

import contextlib
import ipaddress
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

_PROC = Path("/proc")
_LISTENS = "0A"  # proc(5): state of a listening socket in /proc/net/tcp
_SOCKET = re.compile(r"socket:\[(\d+)\]")


@dataclass(frozen=True)
class Seen:
    """A process: ``words``: its command; ``state``: R, S, T (stopped), …, as proc(5) has them; ``parent``: 1 for one
    that was left behind."""

    pid: int
    parent: int
    state: str
    words: tuple[str, ...]


@dataclass(frozen=True)
class Door:
    """A port that a process listens on; ``is_local``: on the loopback interface alone."""

    port: int
    address: str
    is_local: bool
    pid: int


def processes() -> Iterator[Seen]:
    """Yield the processes that live now."""
    for folder in _PROC.glob("[0-9]*"):
        with contextlib.suppress(OSError, ValueError, IndexError):
            words = (folder / "cmdline").read_bytes().decode("utf-8", "replace").rstrip("\0").split("\0")
            fields = (folder / "stat").read_text().rpartition(")")[2].split()
            if fields[0] not in "ZX":
                yield Seen(int(folder.name), int(fields[1]), fields[0], tuple(words))


def variable(pid: int, name: str) -> str | None:
    """Return an environment variable of a process as it was started; None where it has none or may not be asked."""
    try:
        pairs = (_PROC / str(pid) / "environ").read_bytes().split(b"\0")
    except OSError:
        return None
    said = [pair.partition(b"=")[2] for pair in pairs if pair.partition(b"=")[0] == name.encode()]
    return said[0].decode("utf-8", "replace") if said else None


def doors(pids: set[int]) -> Iterator[Door]:
    """Yield the TCP ports that these processes listen on."""
    owner: dict[str, int] = {}
    for pid in pids:
        with contextlib.suppress(OSError):
            for entry in (_PROC / str(pid) / "fd").iterdir():
                with contextlib.suppress(OSError):
                    if found := _SOCKET.fullmatch(os.fspath(entry.readlink())):
                        owner[found[1]] = pid
    for name in ("tcp", "tcp6"):
        with contextlib.suppress(OSError):
            for line in (_PROC / "net" / name).read_text().splitlines()[1:]:
                fields = line.split()
                if fields[3] == _LISTENS and fields[9] in owner:
                    host, port = fields[1].split(":")
                    address = _address(host)
                    yield Door(int(port, 16), str(address), address.is_loopback, owner[fields[9]])


def _address(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address:
    """Return an address of /proc/net/tcp, which holds it in words of four bytes in the machine's order."""
    raw = bytes.fromhex(text)
    found = ipaddress.ip_address(b"".join(raw[at : at + 4][::-1] for at in range(0, len(raw), 4)))
    return getattr(found, "ipv4_mapped", None) or found


def holders_of(path: Path) -> list[int]:
    """Return the processes that hold a file's lock."""
    try:
        said = path.stat()
        lines = (_PROC / "locks").read_text().splitlines()
    except OSError:
        return []
    place = f"{os.major(said.st_dev):02x}:{os.minor(said.st_dev):02x}:{said.st_ino}"
    return [int(fields[4]) for line in lines if (fields := line.split())[1] != "->" and fields[5] == place]
