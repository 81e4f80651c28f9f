"""Whether a machine and a lake are fit for use: every check by name, what it found, and what to do about it.

A finding is unsafe where going on may lose data, show it to somebody or give wrong answers; else it is a warning. In
production some warnings are unsafe. Checks that ask Dagster are the caller's (``run`` takes them). Not here: mending.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from radia_pipeline.errors import RadiaError
from radia_pipeline.lake.lake import Lake

WARNING, UNSAFE = "warning", "unsafe"


@dataclass(frozen=True)
class Finding:
    """Something that is not as it should be: ``what`` in one sentence, ``do``: what to do about it."""

    check: str
    severity: str
    what: str
    do: str


@dataclass(frozen=True)
class Asked:
    """What a check is given. ``is_production``: judged as a hospital's server, not as somebody's trial."""

    lake: Lake
    is_production: bool
    environment: Mapping[str, str]
    now_s: float


Said = tuple[str, str, str]
"""Severity, what, do."""
Check = Callable[[Asked], Iterable[Said]]


@dataclass(frozen=True)
class Examined:
    """What all checks came to."""

    checks: tuple[str, ...]
    findings: tuple[Finding, ...]

    @property
    def is_safe(self) -> bool:
        """Whether nothing unsafe was found."""
        return all(one.severity != UNSAFE for one in self.findings)

    def as_dict(self) -> dict[str, Any]:
        """Return it as plain data."""
        return {
            "is_safe": self.is_safe,
            "checks": list(self.checks),
            "findings": [asdict(one) for one in self.findings],
        }

    def as_text(self) -> str:
        """Return it as lines for a person, what is unsafe first."""
        ordered = sorted(self.findings, key=lambda one: one.severity != UNSAFE)
        lines = [f"{one.severity.upper():8}{one.check}: {one.what}\n        Do: {one.do}" for one in ordered]
        count = sum(one.severity == UNSAFE for one in self.findings)
        end = f"{len(self.checks)} checks: " + (
            "nothing found" if not self.findings else f"{count} unsafe, warnings: {len(self.findings) - count}"
        )
        return "\n".join([*lines, end])


def run(asked: Asked, checks: Mapping[str, Check]) -> Examined:
    """Ask every check; one that cannot look says so as a finding, in our own words."""
    findings = [Finding(name, *said) for name, check in checks.items() for said in _say(check, asked)]
    return Examined(tuple(checks), tuple(findings))


def _say(check: Check, asked: Asked) -> Iterator[Said]:
    try:
        yield from check(asked)
    except RadiaError as error:
        yield UNSAFE, error.received, error.do or error.accepted or "see the message"
    except OSError as error:
        yield UNSAFE, f"this could not be looked at: {error.strerror or 'unreadable'}", "see to rights and disk"


def worse_in_production(asked: Asked) -> str:
    """Return the severity of what a trial may do and a hospital may not."""
    return UNSAFE if asked.is_production else WARNING
