"""The files of a delivery -> their verdicts, by today's rules: what an ingest and its dry run both ask.

Belongs here: what a delivery says of its files, files that its table does not name, files that took their worker down,
and a person's word on a file. Does not belong here: judging one file (``examine``), workers (``work``), tables.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from radia_pipeline.dicom import settlements, work
from radia_pipeline.dicom.delivered import digest_of
from radia_pipeline.dicom.examine import NO_HASH, Task, Verdict
from radia_pipeline.dicom.judgement import STORED_SIDE_PX
from radia_pipeline.errors import LakeUnwritable, Refusal
from radia_pipeline.privacy import reasons
from radia_pipeline.privacy.limits import DEFAULT_LIMITS, Limits
from radia_pipeline.processes import pool
from radia_pipeline.processes.where import HERE, Where
from radia_pipeline.sources.base import ImageFacts

NAMELESS = frozenset({pool.TIMED_OUT, pool.CRASHED})
"""Ways to lose a worker that the reason names already."""


@dataclass(frozen=True)
class Delivery:
    """What the verdicts of a delivery depend on beside its files.

    ``facts``: what the source's own table says, by path; None where it has none. ``settled``: hashes of the bytes whose
    print a person has called clean. ``reads_text``: whether print is looked for.
    """

    source: str
    root: Path
    facts: Mapping[str, ImageFacts] | None
    reads_text: bool
    settled: frozenset[str] = frozenset()
    max_side_px: int = STORED_SIDE_PX
    limits: Limits = DEFAULT_LIMITS

    def is_listed(self, path: str) -> bool:
        """Whether the source's table, where it has one, names a file."""
        return self.facts is None or path in self.facts

    def task(self, path: str, staged: Path, digest: str | None) -> Task:
        """Return what a worker needs; ``digest``: of the bytes that a person has settled under this path, if any."""
        said = self.facts.get(path) if self.facts is not None else None
        return Task(
            str(self.root / path),
            str(staged),
            self.source,
            self.max_side_px,
            self.reads_text,
            has_facts=said is not None,
            table_view=said.view if said is not None else None,
            settled=digest,
            limits=self.limits,
        )


def verdicts_on(
    delivery: Delivery,
    paths: Iterable[str],
    staged: Callable[[str], Path],
    *,
    hashes: Mapping[str, str],
    workers: int,
    where: Where = HERE,
) -> Generator[tuple[str, Verdict], None, None]:
    """Yield (path, verdict) of every file, once, in the order of completion; pictures are staged at ``staged(path)``.

    ``paths`` are gone through twice and never held. ``hashes``: path -> hash, of files that are known to be settled;
    others with settled bytes are asked twice. ``workers``: no more than there are files. Raises LakeUnwritable where
    the machine fails.
    """
    for path in paths:
        if not delivery.is_listed(path):
            yield path, _unjudged(delivery.root / path, reasons.UNKNOWN_TO_TABLE)
    unasked: dict[str, str] = {}
    listed = ((path, hashes.get(path)) for path in paths if delivery.is_listed(path))
    for path, asked, verdict in _judged(delivery, listed, staged, workers, where):
        if settlements.is_settled(verdict, delivery.settled) and verdict.file_sha256 != asked:
            unasked[path] = verdict.file_sha256
        else:
            yield path, verdict
    again = min(workers, len(unasked))
    for path, _, verdict in _judged(delivery, unasked.items(), staged, again, where):
        yield path, verdict


def _judged(
    delivery: Delivery,
    digests: Iterable[tuple[str, str | None]],
    staged: Callable[[str], Path],
    workers: int,
    where: Where,
) -> Iterator[tuple[str, str | None, Verdict]]:
    """Yield (path, the hash that was asked with it, verdict) of (path, hash); holds those that are being worked on."""
    if workers < 1:
        return
    asked: dict[int, tuple[str, str | None]] = {}

    def tasks() -> Iterator[Task]:
        for number, (path, digest) in enumerate(digests):
            asked[number] = path, digest
            yield delivery.task(path, staged(path), digest)

    answers = work.judged(tasks(), workers=workers, limits=delivery.limits, reads_text=delivery.reads_text, where=where)
    with contextlib.closing(answers):
        for number, answer in answers:
            path, digest = asked.pop(number)
            yield path, digest, _verdict(delivery.root / path, answer)


def _verdict(path: Path, answer: Verdict | LakeUnwritable | pool.Lost) -> Verdict:
    """Return what came of a file; of one that took its worker down, that it did."""
    if isinstance(answer, LakeUnwritable):
        raise answer
    if isinstance(answer, Verdict):
        return answer
    reason = reasons.DECODER_TIMEOUT if answer.how == pool.TIMED_OUT else reasons.DECODER_CRASHED
    return _unjudged(path, reason, None if answer.how in NAMELESS else answer.how)


def _unjudged(path: Path, reason: str, detail: str | None = None) -> Verdict:
    """Return the verdict on a file that nobody could judge, with its hash where it can be read."""
    try:
        digest, status = digest_of(path)
        return Verdict(digest, status.st_size, status.st_mtime_ns, reason, detail)
    except (OSError, Refusal):
        return Verdict(NO_HASH, 0, 0, reason, detail)
