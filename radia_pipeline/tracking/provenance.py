"""The tags by which a run says where it comes from, and the process that owns it.

Here: names of tags, the git revision, the identity of a training, whether a run's process lives. Not here: MLflow.
"""

from __future__ import annotations

import hashlib
import json
import os
import socket
import subprocess
from collections.abc import Mapping
from pathlib import Path

from radia_pipeline.processes.parents import started_at

TAG_DAGSTER_RUN = "dagster.run_id"
TAG_ASSET = "dagster.asset"
TAG_RECIPE = "radia.recipe"
TAG_RECIPE_HASH = "radia.recipe_hash"
TAG_MANIFEST = "radia.manifest_version"
TAG_VOCABULARY = "radia.vocabulary_version"
TAG_GIT = "radia.git_revision"
TAG_IDENTITY = "radia.identity"
TAG_FINGERPRINT = "radia.fingerprint"
TAG_PICTURE = "radia.preview"  # where in the lake a picture lies: …preview.picture (a batch), …preview.empty_image
TAG_HOST, TAG_PID, TAG_PID_STARTED = "radia.host", "radia.pid", "radia.pid_started"
TAG_REASON = "radia.end_reason"

# What makes two trainings the same training. The code's revision is left out: whether a change of code asks for a new
# training is a person's decision (the trainer's version, in its fingerprint), and a resumed training must find its run.
IDENTITY_TAGS = (TAG_RECIPE_HASH, TAG_MANIFEST, TAG_VOCABULARY)


def provenance_tags(
    *,
    recipe: str,
    recipe_hash: str,
    manifest_version: str,
    vocabulary_version: str,
    asset: str | None = None,
    dagster_run_id: str | None = None,
) -> dict[str, str]:
    """The tags that every training run carries; Dagster's are left out where Dagster does not run it."""
    tags = {
        TAG_RECIPE: recipe,
        TAG_RECIPE_HASH: recipe_hash,
        TAG_MANIFEST: manifest_version,
        TAG_VOCABULARY: vocabulary_version,
        TAG_GIT: git_revision(),
    }
    if asset:
        tags[TAG_ASSET] = asset
    if dagster_run_id:
        tags[TAG_DAGSTER_RUN] = dagster_run_id
    return tags


def git_revision() -> str:
    """Revision of the code that runs, with ``-dirty`` where files differ; ``unknown`` outside a git checkout."""
    command = ["git", "describe", "--always", "--dirty", "--abbrev=40", "--exclude=*"]
    try:
        done = subprocess.run(
            command, cwd=Path(__file__).parent, capture_output=True, text=True, timeout=20, check=True
        )
    except (OSError, subprocess.SubprocessError):
        return "unknown"
    return done.stdout.strip() or "unknown"


def identity(name: str, tags: Mapping[str, str]) -> str:
    """Short hash over the run's name and its identifying tags: equal for a training and its resumption."""
    facts = {"name": name, **{tag: tags[tag] for tag in IDENTITY_TAGS if tag in tags}}
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()[:32]


def process_tags(pid: int | None = None) -> dict[str, str]:
    """Which process owns a run. A process id alone may be given again, so its start time stands beside it."""
    pid = os.getpid() if pid is None else pid
    return {TAG_HOST: socket.gethostname(), TAG_PID: str(pid), TAG_PID_STARTED: process_started(pid) or "unknown"}


def process_started(pid: int) -> str | None:
    """Start time of a process in clock ticks since boot, with the boot's id; None if there is no such process."""
    started = started_at(pid)
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        return None
    return None if started is None else f"{boot}:{started}"


def owner_lives(tags: Mapping[str, str]) -> bool | None:
    """Whether the process that owns a run still runs; None where that cannot be known (another host, no tags)."""
    if tags.get(TAG_HOST) != socket.gethostname() or not tags.get(TAG_PID, "").isdigit():
        return None
    return process_started(int(tags[TAG_PID])) == tags.get(TAG_PID_STARTED)
