"""Notices to people who are not looking: what failed, who has fallen silent, what waits for somebody.

A notice goes to a webhook (a JSON object, posted) or to a mail relay, whose addresses stand in the environment since
they may hold a secret; without one, nothing is sent. It names jobs, sources and kinds of errors, never a person, a file
or a keyed hash. Each is sent once: the lake remembers in ``notices.jsonl``. Not here: who looks when (``defs``).
"""

from __future__ import annotations

import json
import os
import re
import smtplib
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from email.message import EmailMessage

from radia_pipeline.errors import BadInput, DamagedFile, NotSent
from radia_pipeline.lake.lake import Lake
from radia_pipeline.lake.lines import LineForm, LinesFile

WEBHOOK, RELAY, TO, SENDER = "RADIA_NOTICE_WEBHOOK", "RADIA_NOTICE_RELAY", "RADIA_NOTICE_TO", "RADIA_NOTICE_FROM"
"""Environment: the webhook's address; or the relay as ``host:port``, whom to write to and as whom."""
WAIT_S = 10.0
_KEYED = re.compile(r"[0-9a-fA-F]{16,}")
_FORM = LineForm("notice that was sent", dict, drops_cut_end=True)


@dataclass(frozen=True)
class Notice:
    """``key``: names the occasion, so that it is told once; ``subject``: one line; ``text``: a few."""

    key: str
    subject: str
    text: str


def send_new(lake: Lake, notices: Iterable[Notice]) -> list[str]:
    """Send the notices that were never sent, in order, and return their keys; none where no address is set.

    One that was sent is written down at once: after a failure the rest is sent by the next call, and nothing twice but
    what a kill catches between sending and writing. Raises NotSent, BadInput for an address that is none.
    """
    send = sender(os.environ)
    if send is None:
        return []
    sent = []
    with lake.lock("notices"):
        lines = _lines(lake)
        known = {line["key"] for line in lines if line is not None}
        for notice in notices:
            if notice.key in known:
                continue
            send(notice)
            lines.append([{"at": time.time(), "key": notice.key}])
            known.add(notice.key)
            sent.append(notice.key)
    return sent


def sender(env: Mapping[str, str]) -> Callable[[Notice], None] | None:
    """Return the way to send that an environment names, None for none; raises BadInput for half of one."""
    if env.get(WEBHOOK):
        return lambda notice: _post(env[WEBHOOK], notice)
    if not env.get(RELAY):
        return None
    if not env.get(TO):
        raise BadInput(f"{RELAY} is set and {TO} is not", do=f"set {TO} to the address that notices go to")
    host, _, port = env[RELAY].rpartition(":")
    if not host or not port.isdigit():
        raise BadInput(f"{RELAY} names no relay", accepted="host:port, such as relay.hospital.example:25")
    return lambda notice: _mail(host, int(port), env[TO], env.get(SENDER) or "radia@localhost", notice)


def without_keys(text: str) -> str:
    """Return a text with three dots in the place of every keyed hash."""
    return _KEYED.sub("…", text)


def _post(address: str, notice: Notice) -> None:
    if not address.startswith(("http://", "https://")):
        raise BadInput(f"{WEBHOOK} names no address", accepted="http://… or https://…")
    body = json.dumps({"subject": without_keys(notice.subject), "text": without_keys(notice.text)}).encode()
    request = urllib.request.Request(address, body, {"Content-Type": "application/json"})
    try:
        urllib.request.urlopen(request, timeout=WAIT_S).close()
    except (urllib.error.URLError, OSError) as error:
        raise _not_sent("webhook", error) from None


def _mail(host: str, port: int, to: str, sender: str, notice: Notice) -> None:
    message = EmailMessage()
    message["Subject"], message["From"], message["To"] = without_keys(notice.subject), sender, to
    message.set_content(without_keys(notice.text))
    try:
        with smtplib.SMTP(host, port, timeout=WAIT_S) as relay:
            relay.send_message(message)
    except (smtplib.SMTPException, OSError) as error:
        raise _not_sent("mail relay", error) from None


def _not_sent(what: str, error: Exception) -> NotSent:
    return NotSent(
        f"The {what} did not take a notice ({type(error).__name__})", do="look after it; the notice is sent again later"
    )


def _lines(lake: Lake) -> LinesFile[dict]:
    def damaged(number: int, what: str) -> DamagedFile:
        return DamagedFile(
            f"The list of notices is damaged at line {number}: {what}",
            do="move notices.jsonl of the lake away; notices that were sent may come once more",
        )

    return LinesFile(lake.root / "notices.jsonl", _FORM, damaged)
