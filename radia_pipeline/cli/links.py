"""``radia links``: which images show one exposure, and what people decide about that."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import click

from radia_pipeline.cli.options import json_option, lake_option
from radia_pipeline.cli.output import print_result

_WHO = click.option("--by", required=True, help="Who decides.")
_WHY = click.option("--reason", required=True, help="Why.")


@click.group()
def links() -> None:
    """Look at links between images, reject or confirm them."""


@links.command("list")
@click.option("--all", "shows_all", is_flag=True, help="Also links that join their patients without being decided.")
@lake_option
@json_option
def list_(shows_all: bool, lake_root: Path | None, as_json: bool) -> None:
    """List links that wait for a person, or that one decided.

    Each with the keyed ids of both images, which `reject` and `confirm` take (six digits are enough).
    """
    from radia_pipeline.cohort.link_decisions import decisions
    from radia_pipeline.cohort.links import LINKED
    from radia_pipeline.lake.lake import Lake

    lake = Lake.open(lake_root, create=False)
    decided = decisions(lake)
    names = ("state", "kind", "source_a", "image_id_a", "source_b", "image_id_b", "distance")
    rows = [{name: row[name] for name in names} for row in lake.read("image_links").to_pylist()]
    for row in rows:
        said = decided.get(tuple(sorted((row["image_id_a"], row["image_id_b"]))))
        row["state"] = row["state"] or LINKED
        row |= {"by": said.by, "reason": said.reason} if said is not None else {"by": None, "reason": None}
    shown = [row for row in rows if shows_all or row["state"] != LINKED or row["by"]]
    counts = {state: sum(row["state"] == state for row in rows) for state in sorted({row["state"] for row in rows})}
    lines = [", ".join(f"{count} {state}" for state, count in counts.items()) or "There are no links."]
    lines += [_line(row) for row in shown]
    print_result({"states": counts, "links": shown}, "\n".join(lines), as_json)


def _line(row: dict) -> str:
    ends = f"{row['source_a']} {row['image_id_a'][:12]} – {row['source_b']} {row['image_id_b'][:12]}"
    said = f"  {row['by']}: {row['reason']}" if row["by"] else ""
    return f"{row['state']:<9}  {row['kind']:<17}  {ends}  distance {row['distance']:.2f}{said}"


@links.command("reject")
@click.argument("one")
@click.argument("other")
@_WHO
@_WHY
@lake_option
@json_option
def reject(lake_root: Path | None, as_json: bool, **said: str) -> None:
    """Say that images ONE and OTHER show two exposures.

    Their patients are joined no more, by this link, from the next run on; the line stays for ever.
    """
    from radia_pipeline.cohort.link_decisions import REJECTED

    _decide(REJECTED, lake_root, as_json, said)


@links.command("confirm")
@click.argument("one")
@click.argument("other")
@_WHO
@_WHY
@lake_option
@json_option
def confirm(lake_root: Path | None, as_json: bool, **said: str) -> None:
    """Say that images ONE and OTHER show one exposure.

    Their patients are joined from the next run on, however many others are linked to them.
    """
    from radia_pipeline.cohort.link_decisions import CONFIRMED

    _decide(CONFIRMED, lake_root, as_json, said)


def _decide(kind: str, lake_root: Path | None, as_json: bool, said: Mapping[str, str]) -> None:
    """Record a decision; ``said``: one, other, by and reason, as ``link_decisions.decide`` has them."""
    from dataclasses import asdict

    from radia_pipeline.cohort.link_decisions import decide
    from radia_pipeline.lake.lake import Lake

    decision = decide(Lake.open(lake_root, create=False), kind, **said)
    told = f"{kind}; pools follow at the next run of image_links and splits (`radia run --until manifest`)"
    print_result(asdict(decision), told, as_json)
