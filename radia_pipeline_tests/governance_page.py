"""The page ``docs/governance/what_is_stored.md``: every table, what of it tells of a person, and every other place."""

from __future__ import annotations

import re
from fnmatch import fnmatch
from pathlib import Path

from radia_pipeline.contracts.tables import Contract, contract, contract_names

_KEYED = re.compile(r"^(patient_key|study_id|image_id|file_id|group_id|kept_image_id)(_[ab])?$")
PLACES = {
    "pixels/": (
        "stored images, 16-bit grey, named by keyed id",
        "the picture itself",
        "until the patient is forgotten",
    ),
    "models/": (
        "weights, cards, figures by epoch",
        "nothing by name; what a network remembers of its images",
        "until deleted by a person",
    ),
    "_versions/": ("earlier versions of tables", "as the tables", "`radia tables collect`, 90 days by default"),
    "_ingest/": ("journals: delivered path, keyed ids, verdict of each file", "delivered paths", "as the delivery"),
    "ledger/": (
        "pools of patients, champions, uses of the test pool; after a rotation of the key old ids beside new ones",
        "keyed ids of patients, names of those who approve",
        "for ever: who is delivered again must not change pool",
    ),
    "reviews/": (
        "readings, log of images that were shown and of reveals",
        "keyed ids of studies, readers' codes",
        "for ever; forgetting leaves tombstones",
    ),
    "packed/, previews/": (
        "images at training size, montages, maps",
        "the picture itself",
        "derived; deleted by a forgetting and by a rotation of the key; packed images after 60 days without use",
    ),
    "*.html": (
        "reports, scorecard, cards, drift and status pages",
        "figures of groups; small pictures of films where a page shows some",
        "derived; until made again",
    ),
    "lake.json, settings.json, vocabulary.yaml, recipes/, detectors/": (
        "format, settings, a lake's own vocabulary, recipes and detectors",
        "nothing",
        "as the lake",
    ),
    "key_fingerprint.txt, keys.json": (
        "which key the lake belongs to; after a rotation the keys before, sealed under it",
        "nothing without the key",
        "as the lake",
    ),
    "forgotten.jsonl, notices.jsonl, retrainings.jsonl, api_answers.json": (
        "when how much was forgotten, what was told to whom, which retrainings began, how many answers a day",
        "nothing",
        "as the lake",
    ),
    "_locks/, _backup/, _rotating/, _forgetting.json, _retracting.*.json": (
        "locks; which file lies in which backup; a rotation, a forgetting, a refusal that has not ended",
        "keyed ids, while one is open",
        "until that ends",
    ),
    "<lake>.history/": (
        "Dagster's runs and events, MLflow's figures and weights, logs of servers",
        "nothing by name; keyed ids in log lines",
        "`radia history collect`: what runs said 30 days, runs 90, trainings 180, as the lake's settings have it",
    ),
    "backup": ("all of the above but what is derived", "as the above", "`--keep` sets"),
}
"""Places beside the tables → what lies there, what of it tells of a person, how long it stays."""


def unlisted(root: Path) -> list[str]:
    """Return what lies in a lake's folder and is neither a table nor a place of the page."""
    listed = [name.rstrip("/") for names in PLACES for name in names.split(", ")] + list(contract_names())
    found = (path.name for path in root.iterdir())
    return sorted(name for name in found if not any(fnmatch(name, pattern) for pattern in listed))


HEAD = """\
# What is stored where

Made of the contracts in `data_contracts/` by `make generated`; nobody edits it. What a header or a report may bring in
is judged by the de-identification policies ([ingest](../ingest.md)); names and the hospital's numbers are refused. What
links rows to a person are **keyed ids** (HMAC under the pseudonym key). **Restricted** columns come only to who names
them: `radia tables show` leaves them out, `Lake.frame` too.

## Tables

| table | what it is | keyed ids | restricted columns |
|---|---|---|---|
"""
OTHERS = """
## Other places

| place | what lies there | what of it tells of a person | how long |
|---|---|---|---|
"""


def page() -> str:
    """Return the page."""
    rows = [_row(name, contract(name)) for name in contract_names()]
    places = [f"| `{name}` | {what} | {person} | {stays} |" for name, (what, person, stays) in PLACES.items()]
    return HEAD + "\n".join(rows) + "\n" + OTHERS + "\n".join(places) + "\n"


def _row(name: str, one: Contract) -> str:
    keyed = [column for column in one.columns if _KEYED.match(column)]
    restricted = [column for column in one.columns if column not in one.open_columns]
    purpose = one.description.strip().split("\n")[0].split(". ")[0].rstrip(".").replace("|", "/")
    shown = [", ".join(f"`{column}`" for column in found) or "–" for found in (keyed, restricted)]
    return f"| `{name}` | {purpose} | {shown[0]} | {shown[1]} |"
