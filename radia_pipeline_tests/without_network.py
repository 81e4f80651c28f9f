"""A command run where no network is: a namespace of its own with loopback alone, and a list of who tried to leave.

Not permitted everywhere (an unprivileged user namespace is needed): ``why_not`` says so, and tests skip with it.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

_ENTER = """
import fcntl, os, socket, struct, sys
door = socket.socket()
fcntl.ioctl(door, 0x8914, struct.pack("16sh14x", b"lo", 0x1 | 0x40))  # netdevice(7): SIOCSIFFLAGS, UP | RUNNING
door.close()
os.execvp(sys.argv[1], sys.argv[1:])
"""
_HOOK = """
import os, sys
def noted(event, given, place=os.environ.get("RADIA_TRIED")):
    if place and event in ("socket.connect", "socket.getaddrinfo", "socket.sendto"):
        address = given[1] if event != "socket.getaddrinfo" else given[0]
        host = address[0] if isinstance(address, tuple) else address
        if isinstance(host, bytes): host = host.decode("ascii", "replace")
        is_own = host in (os.uname().nodename, "", "0.0.0.0")
        if host and not is_own and not str(host).startswith(("/", "\\0", "127.", "::1", "localhost")):
            with open(place, "a") as file:
                file.write(f"{event} {host} by {' '.join(sys.argv[:2])}\\n")
sys.addaudithook(noted)
"""


def prefix() -> list[str]:
    """Return what goes before a command."""
    return ["unshare", "--map-root-user", "--net", sys.executable, "-c", _ENTER]


def why_not() -> str | None:
    """Return why no namespace can be made here, None where one can."""
    try:
        done = subprocess.run([*prefix(), "true"], capture_output=True, text=True, timeout=60)
    except OSError as error:
        return f"unshare cannot be started: {error.strerror}"
    return None if done.returncode == 0 else f"no network namespace is permitted here: {done.stderr.strip()[-100:]}"


def watched(folder: Path) -> dict[str, str]:
    """Return the environment in which every Python process notes in ``folder/tried`` whom it tried to reach."""
    (folder / "hook").mkdir(exist_ok=True)
    (folder / "hook" / "sitecustomize.py").write_text(_HOOK)
    paths = [os.fspath(folder / "hook"), *filter(None, [os.environ.get("PYTHONPATH")])]
    return {"PYTHONPATH": os.pathsep.join(paths), "RADIA_TRIED": os.fspath(folder / "tried")}


def tried(folder: Path) -> list[str]:
    """Return who was tried to reach."""
    path = folder / "tried"
    return path.read_text().splitlines() if path.exists() else []
